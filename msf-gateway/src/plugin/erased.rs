//! Plugins without their types.

use std::{any::Any, fmt, future::Future, pin::Pin, sync::Arc};

use http::{request::Parts, response};

use super::{Completed, Flow, Plugin};

/// A plugin, and the place of its context.
#[derive(Clone)]
pub(crate) struct Installed(Arc<dyn Erased>);

/// The plugins of a route, in the order in which they see a request.
pub(crate) type Plugins = Vec<Installed>;

/// What a plugin left for the answer.
pub(super) type Context = Box<dyn Any + Send + Sync>;

trait Erased: Send + Sync {
    fn context(&self) -> Context;

    fn on_request<'a>(
        &'a self,
        request: &'a mut Parts,
        context: &'a mut Context,
    ) -> Pin<Box<dyn Future<Output = Flow> + Send + 'a>>;

    fn on_response(&self, response: &mut response::Parts, context: &mut Context);

    fn on_complete(&self, completed: &Completed, context: &mut Context);
}

impl<P: Plugin> Erased for P {
    fn context(&self) -> Context {
        Box::new(P::Context::default())
    }

    fn on_request<'a>(
        &'a self,
        request: &'a mut Parts,
        context: &'a mut Context,
    ) -> Pin<Box<dyn Future<Output = Flow> + Send + 'a>> {
        match context.downcast_mut() {
            Some(context) => Box::pin(Plugin::on_request(self, request, context)),
            None => Box::pin(std::future::ready(Flow::Continue)),
        }
    }

    fn on_response(&self, response: &mut response::Parts, context: &mut Context) {
        if let Some(context) = context.downcast_mut() {
            Plugin::on_response(self, response, context);
        }
    }

    fn on_complete(&self, completed: &Completed, context: &mut Context) {
        if let Some(context) = context.downcast_mut() {
            Plugin::on_complete(self, completed, context);
        }
    }
}

impl Installed {
    pub(crate) fn new(plugin: impl Plugin) -> Self {
        Self(Arc::new(plugin))
    }

    pub(super) fn context(&self) -> Context {
        self.0.context()
    }

    pub(super) fn on_request<'a>(
        &'a self,
        request: &'a mut Parts,
        context: &'a mut Context,
    ) -> Pin<Box<dyn Future<Output = Flow> + Send + 'a>> {
        self.0.on_request(request, context)
    }

    pub(super) fn on_response(&self, response: &mut response::Parts, context: &mut Context) {
        self.0.on_response(response, context);
    }

    pub(super) fn on_complete(&self, completed: &Completed, context: &mut Context) {
        self.0.on_complete(completed, context);
    }
}

impl fmt::Debug for Installed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Plugin")
    }
}
