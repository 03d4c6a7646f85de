//! From claims to a caller.

use std::sync::Arc;

use super::{Principal, PrincipalKind};
use crate::{
    token::{Claims, Span, Text},
    verify::Reason,
};

/// What is known about a caller beside its claims.
pub(crate) struct Origin<'a> {
    pub(crate) issuer: Arc<str>,
    pub(crate) kind: PrincipalKind,
    pub(crate) expires_at_s: u64,
    /// The id of the key that vouches for it.
    pub(crate) key_id: Option<&'a str>,
    /// The claim that names its tenant.
    pub(crate) tenant_claim: &'a str,
    /// The scopes, where they are not what `scope` says.
    pub(crate) scope: Option<&'a str>,
    /// The OAuth client, where it is not what `client_id` says.
    pub(crate) client_id: Option<&'a str>,
    /// Who named the subject, where that is not the issuer.
    pub(crate) subject_issuer: Option<&'a str>,
    /// Whether no other issuer's users are taken beside.
    pub(crate) subject_suffices: bool,
}

impl Principal {
    /// The caller that checked claims describe; their members become its own.
    ///
    /// # Errors
    ///
    /// [`Reason::MissingClaim`] without a subject, [`Reason::Claims`] for a tenant that is no string.
    pub(crate) fn assemble(claims: &mut Claims<'_>, origin: Origin<'_>) -> Result<Self, Reason> {
        let subject = claims.subject.ok_or(Reason::MissingClaim)?;
        let tenant = match claims.member(origin.tenant_claim) {
            Some(raw) => Some(raw.text().ok_or(Reason::Claims)?),
            None => None,
        };
        let mut arena = Arena::new(claims.json(), &origin);
        for member in &mut claims.members {
            if member.name.has_escapes {
                member.name = Text {
                    span: arena.text(member.name),
                    has_escapes: false,
                };
            }
        }
        let scope = match origin.scope {
            Some(scope) => arena.push(scope),
            None => claims
                .scope
                .map_or_else(Span::default, |text| arena.text(text)),
        };
        let client_id = match origin.client_id {
            Some(client_id) => Some(arena.push(client_id)),
            None => claims.client_id.map(|text| arena.text(text)),
        };
        let subject = arena.text(subject);
        if subject.is_empty() {
            return Err(Reason::MissingClaim);
        }
        let token_id = claims.token_id.map(|text| arena.text(text));
        let session_id = claims.session_id.map(|text| arena.text(text));
        let tenant = tenant.map(|text| arena.text(text));
        let key_id = origin.key_id.map(|id| arena.push(id));
        let subject_issuer = origin.subject_issuer.map(|name| arena.push(name));
        let json = Span::new(0, claims.json().len()).ok_or(Reason::Size)?;
        Ok(Self {
            issuer: origin.issuer,
            kind: origin.kind,
            text: arena.0.into_boxed_str(),
            json,
            subject,
            subject_issuer,
            subject_suffices: origin.subject_suffices,
            scope,
            expires_at_s: origin.expires_at_s,
            not_before_s: claims.not_before_s,
            issued_at_s: claims.issued_s,
            authenticated_at_s: claims.authenticated_s,
            token_id,
            session_id,
            client_id,
            key_id,
            tenant,
            members: std::mem::take(&mut claims.members),
            tree_bytes: claims.tree_bytes,
        })
    }
}

/// The claims, and behind them what was escaped there or is not there.
struct Arena(String);

impl Arena {
    /// With room for all that usually follows, so that there is one allocation.
    fn new(json: &str, origin: &Origin<'_>) -> Self {
        let others = [
            origin.key_id,
            origin.scope,
            origin.client_id,
            origin.subject_issuer,
        ];
        let room: usize = others.into_iter().flatten().map(str::len).sum();
        let mut text = String::with_capacity(json.len() + room);
        text.push_str(json);
        Self(text)
    }

    /// A string that lies in the claims.
    fn text(&mut self, text: Text) -> Span {
        if !text.has_escapes {
            return text.span;
        }
        let said = text.of(&self.0).into_owned();
        self.push(&said)
    }

    fn push(&mut self, text: &str) -> Span {
        let start = self.0.len();
        self.0.push_str(text);
        // The text of a token is far below 4 GiB; what would not be is empty.
        Span::new(start, self.0.len()).unwrap_or_default()
    }
}
