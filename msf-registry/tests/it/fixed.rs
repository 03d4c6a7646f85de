//! A list that the program brings along.

use msf_core::name::ServiceName;
use msf_registry::{
    Authority, Discovery, Instance, PickContext, Registry, RegistryError,
    backend::fixed::{InvalidList, StaticRegistry},
    conformance::{Stage, Suite},
};

use crate::setup::{eventually, instance, payment};

struct Fixed(StaticRegistry);

impl Stage for Fixed {
    type Backend = StaticRegistry;

    fn backend(&self) -> &StaticRegistry {
        &self.0
    }

    async fn list(&self, service: &ServiceName, instances: &[Instance]) {
        let list = instances.to_vec();
        self.0.replace(service, list).expect("they are valid");
    }
}

#[tokio::test]
async fn a_fixed_list_conforms() {
    let make = || async { Fixed(StaticRegistry::new()) };
    Suite::new().run_discovery(make).await;
}

#[tokio::test]
async fn a_wrong_list_leaves_the_one_before() {
    let registry = StaticRegistry::of([instance(1), instance(2)]).expect("it is a list");
    let twice = registry.replace(&payment(), vec![instance(3), instance(3)]);
    assert!(matches!(twice, Err(InvalidList::Duplicate { .. })));
    let listed = registry.fetch(&payment()).await.expect("it answers");
    assert_eq!(listed.instances().len(), 2);
    assert_eq!(listed.authority(), Authority::Explicit);
}

#[tokio::test]
async fn callers_hear_of_another_list_and_nobody_registers() {
    let backend = StaticRegistry::of([instance(1)]).expect("it is a list");
    let registry = Registry::new(backend.clone());
    let service = registry.service(&payment());
    eventually("the list is there", async || {
        service.pick(&PickContext::new()).is_ok()
    })
    .await;
    backend
        .replace(&payment(), vec![instance(2), instance(3)])
        .expect("it is a list");
    eventually("the other list is there", async || {
        service.snapshot().instances().len() == 2
    })
    .await;

    let refused = registry.register(instance(4)).registered().await;
    let error = refused.expect_err("a fixed list takes nobody");
    let source = std::error::Error::source(&error).expect("it says why");
    let read_only = source.downcast_ref::<RegistryError>();
    assert!(matches!(read_only, Some(RegistryError::ReadOnly { .. })));
}
