//! What a token is minted for.

/// One call to a service, in somebody's name. It borrows and costs nothing to make.
///
/// ```
/// use msf_auth::internal::InternalCall;
///
/// let call = InternalCall::to("order").scopes(&["orders:read"]).request("01J8Z0");
/// # let _ = call;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct InternalCall<'a> {
    pub(super) audience: &'a str,
    pub(super) scopes: Option<&'a [&'a str]>,
    pub(super) request: Option<&'a str>,
}

impl<'a> InternalCall<'a> {
    /// A call to this service, with all scopes of the caller.
    pub const fn to(audience: &'a str) -> Self {
        Self {
            audience,
            scopes: None,
            request: None,
        }
    }

    /// Only these scopes of the caller go along; those that it does not have are not given to it.
    pub const fn scopes(mut self, scopes: &'a [&'a str]) -> Self {
        self.scopes = Some(scopes);
        self
    }

    /// The token is for this request alone and says so in `txn`; it is signed anew and not kept.
    pub const fn request(mut self, id: &'a str) -> Self {
        self.request = Some(id);
        self
    }
}
