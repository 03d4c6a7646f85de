//! Data that is there only for whom it is meant.
//!
//! A policy on a route knows the path; whose the order with this number is, only the database knows. A repository that
//! returns [`Guarded`] values cannot be used without asking: the value is not to be had, not even printed, before
//! [`authorize`](Guarded::authorize) has said that this caller may do this with it.
//!
//! ```
//! use msf_auth::{
//!     Principal,
//!     guarded::{Action, Guarded, Owner, Resource},
//! };
//!
//! struct Order {
//!     customer: u64,
//!     total: u64,
//! }
//!
//! impl Resource for Order {
//!     fn owner(&self) -> Owner<'_> {
//!         Owner::user(self.customer.to_string())
//!     }
//!
//!     // Without this only the owner may.
//!     fn allows(&self, caller: &Principal, action: Action) -> bool {
//!         self.owner().is(caller) || (action == Action::READ && caller.has_scope("orders:admin"))
//!     }
//! }
//!
//! # use msf_auth::{SigningKey, TokenIssuer, TrustedIssuer, Verifier};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), msf_core::BoxError> {
//! # let issuer = TokenIssuer::new("https://user.shop", SigningKey::generate_ed25519()?);
//! # let trusted = TrustedIssuer::new("https://user.shop", issuer.jwks()).audience("shop");
//! # let verifier = Verifier::builder().issuer(trusted).build()?;
//! let find = |id: u64| Guarded::found((id == 1).then_some(Order { customer: 7, total: 300 }));
//!
//! let ada = verifier.verify(&issuer.token("7").audience("shop").sign()?).await?;
//! let bob = verifier.verify(&issuer.token("8").audience("shop").sign()?).await?;
//! assert_eq!(find(1).authorize(&ada, Action::READ)?.total, 300);
//!
//! // Bob cannot tell an order of Ada's from one that is not there.
//! let (foreign, absent) = (find(1).authorize(&bob, Action::READ), find(2).authorize(&bob, Action::READ));
//! assert_eq!(foreign.err(), absent.err());
//! # Ok(())
//! # }
//! ```
//!
//! Who is denied something that is there is told to an [`Audit`](crate::audit::Audit), by default the log.
//!
//! The data cannot be had by accident:
//!
//! ```compile_fail
//! # use msf_auth::guarded::Guarded;
//! let secret = Guarded::new("data".to_owned());
//! println!("{}", secret.len());
//! ```
//!
//! # When it is the wrong tool
//!
//! For long lists: [`Guarded::list`] leaves out what is not for the caller, after the database has sent it and after
//! the page was cut. Ask the database for the caller's own, and let `list` find the mistakes in the query.

mod action;
mod owner;
mod resource;
#[cfg(test)]
mod tests;
mod value;

pub use self::{
    action::Action,
    owner::Owner,
    resource::Resource,
    value::{Denied, Guarded},
};
