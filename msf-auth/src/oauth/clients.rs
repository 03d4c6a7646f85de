//! Where clients are kept.

use std::{collections::HashMap, sync::Arc};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use serde_json::{Map, Value};

use super::{Client, InvalidClient, LookupError};

/// Finds clients by id. A call is bounded in time by the endpoints, to 2 s.
///
/// ```
/// use std::sync::Arc;
/// use async_trait::async_trait;
/// use msf_auth::oauth::{Client, Clients, LookupError};
///
/// struct Nobody;
///
/// #[async_trait]
/// impl Clients for Nobody {
///     async fn find(&self, _id: &str) -> Result<Option<Arc<Client>>, LookupError> {
///         Ok(None)
///     }
/// }
/// ```
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no store of OAuth clients",
    note = "implement `msf_auth::oauth::Clients`, or use `MemoryClients`"
)]
pub trait Clients: Send + Sync + 'static {
    /// The client of an id, compared as it is.
    ///
    /// # Errors
    ///
    /// [`LookupError`] when that is not known: never to be taken for a client that is not there.
    async fn find(&self, id: &str) -> Result<Option<Arc<Client>>, LookupError>;
}

/// Says what is known about users when their tokens are refreshed.
///
/// A session that lasts for weeks outlives roles and accounts, so this is asked at each refresh, for 2 s at most.
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not know subjects",
    note = "implement `msf_auth::oauth::Subjects`"
)]
pub trait Subjects: Send + Sync + 'static {
    /// Claims for the next access token, instead of those of the same name that the login gave. A claim of the login that
    /// is not named stays, so a role that was taken away has to be named: as what is left of it, or as null, with which
    /// it is left out. `None` for a subject that may not have a token any more, which ends the session.
    ///
    /// One that the issuer sets itself, such as `sub`, is an error of the server (500); the token is not used up.
    ///
    /// # Errors
    ///
    /// [`LookupError`] when that is not known; the token is not used up.
    async fn claims(&self, subject: &str) -> Result<Option<Map<String, Value>>, LookupError>;
}

/// Clients in memory, as the configuration of the program names them. Cloning shares them.
///
/// ```
/// use msf_auth::oauth::{Client, Clients, ClientSecret, MemoryClients};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), msf_core::BoxError> {
/// let clients = MemoryClients::new();
/// clients.insert(Client::new("order").secret(ClientSecret::generate()?.hash()))?;
/// assert!(clients.find("order").await?.is_some());
/// assert!(clients.find("Order").await?.is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemoryClients(Arc<ArcSwap<HashMap<Box<str>, Arc<Client>>>>);

impl MemoryClients {
    /// No clients yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a client, or replaces the one of its id.
    ///
    /// # Errors
    ///
    /// [`InvalidClient`] for one that is none.
    pub fn insert(&self, client: Client) -> Result<(), InvalidClient> {
        client.check()?;
        let client = Arc::new(client);
        self.0.rcu(|clients| {
            let mut clients = HashMap::clone(clients);
            clients.insert(client.id().into(), client.clone());
            clients
        });
        Ok(())
    }

    /// Removes a client; it gets no token from now on.
    pub fn remove(&self, id: &str) {
        self.0.rcu(|clients| {
            let mut clients = HashMap::clone(clients);
            clients.remove(id);
            clients
        });
    }
}

#[async_trait]
impl Clients for MemoryClients {
    async fn find(&self, id: &str) -> Result<Option<Arc<Client>>, LookupError> {
        Ok(self.0.load().get(id).cloned())
    }
}
