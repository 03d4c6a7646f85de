//! From a request that asks for a switch to the tunnel.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, Version, header, request::Parts};
use http_body::Body as _;
use hyper_util::rt::TokioIo;
use msf_client::transport::{AllowUpgrade, OnUpgrade};
use msf_core::{
    body::Body,
    problem::{Code, Problem},
    server::{Connection, DrainSignal},
    task,
};
use tokio::time;

use super::{TunnelMetrics, Upgrades, join::join};
use crate::{body::Proxied, headers::hop_by_hop, respond};

/// A client that asks for a protocol which its route allows.
#[derive(Debug)]
pub(crate) struct Asked {
    protocol: HeaderValue,
    client: hyper::upgrade::OnUpgrade,
    drain: Option<DrainSignal>,
    idle_timeout: Duration,
    metrics: TunnelMetrics,
}

impl Asked {
    /// What the client asks for; to be called before the headers of its connection are removed.
    pub(crate) fn of(
        parts: &mut Parts,
        body: &Body,
        upgrades: &Upgrades,
        metrics: &TunnelMetrics,
    ) -> Option<Self> {
        if parts.version != Version::HTTP_11 || !body.is_end_stream() {
            return None;
        }
        let protocol = chosen(&parts.headers, &upgrades.protocols)?.clone();
        let client = parts.extensions.remove()?;
        let connection: Option<&Connection> = parts.extensions.get();
        Some(Self {
            protocol,
            client,
            drain: connection.map(|it| it.drain().clone()),
            idle_timeout: upgrades.idle_timeout,
            metrics: metrics.clone(),
        })
    }

    /// Asks the service; to be called after the headers of the client's connection were removed.
    pub(crate) fn pass_on(self, parts: &mut Parts) {
        parts.headers.insert(header::UPGRADE, self.protocol.clone());
        // It comes back with the connection of the service, if that switches.
        let allowed = AllowUpgrade::with_token(Arc::new(self));
        parts.extensions.insert(allowed);
    }
}

/// The answer of a service that has switched, for the client, whose connection is joined with the service's
/// once it has the answer.
pub(crate) fn switched<B>(mut response: Response<B>) -> Response<Proxied> {
    let upgrade = OnUpgrade::of(&mut response);
    let asked = upgrade.as_ref().and_then(OnUpgrade::token::<Asked>);
    let (Some(upgrade), Some(asked)) = (upgrade, asked) else {
        let problem = Problem::new(Code::BadGateway)
            .with_log_detail("the service switched protocols without being asked");
        return problem.into_response();
    };
    let (mut parts, _none) = response.into_parts();
    hop_by_hop::strip_response(&mut parts.headers);
    let inside = [header::SERVER, respond::X_POWERED_BY];
    for name in inside
        .into_iter()
        .chain([header::CONTENT_LENGTH, header::TRAILER])
    {
        parts.headers.remove(name);
    }
    let switch = HeaderValue::from_static("upgrade");
    parts.headers.insert(header::CONNECTION, switch);
    parts
        .headers
        .insert(header::UPGRADE, asked.protocol.clone());
    parts.extensions.clear();
    task::spawn_root("tunnel", async move {
        let both = async { tokio::try_join!(client(&asked), service(upgrade)) };
        match time::timeout(SWITCH_TIMEOUT, both).await {
            Ok(Ok((client, service))) => {
                let drain = asked.drain.clone();
                let joined = join(client, service, asked.idle_timeout, drain, &asked.metrics);
                let reason = joined.await;
                tracing::debug!(?reason, "tunnel ended");
            }
            Ok(Err(error)) => tracing::debug!(error, "tunnel not begun"),
            Err(_elapsed) => tracing::debug!("tunnel not begun in time"),
        }
    })
    .detach();
    Response::from_parts(parts, Proxied::from(Bytes::new()))
}

async fn client(asked: &Asked) -> Result<TokioIo<hyper::upgrade::Upgraded>, msf_core::BoxError> {
    Ok(TokioIo::new(asked.client.clone().await?))
}

async fn service(
    upgrade: OnUpgrade,
) -> Result<msf_client::transport::Upgraded, msf_core::BoxError> {
    Ok(upgrade.await?)
}

/// The first protocol of the client's list that is allowed, if the client says at all that it means it.
fn chosen<'a>(headers: &HeaderMap, allowed: &'a [HeaderValue]) -> Option<&'a HeaderValue> {
    let says_upgrade =
        tokens(headers, &header::CONNECTION).any(|token| token.eq_ignore_ascii_case(b"upgrade"));
    if !says_upgrade {
        return None;
    }
    tokens(headers, &header::UPGRADE).find_map(|token| {
        let is_it = |protocol: &&HeaderValue| protocol.as_bytes().eq_ignore_ascii_case(token);
        allowed.iter().find(is_it)
    })
}

fn tokens<'a>(
    headers: &'a HeaderMap,
    name: &header::HeaderName,
) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    let values = headers.get_all(name).into_iter();
    values
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
}

/// The service has switched already, and the client needs no more than to take a few lines.
const SWITCH_TIMEOUT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[(&'static str, &'static str)]) -> Option<&'static str> {
        let allowed = [
            HeaderValue::from_static("websocket"),
            HeaderValue::from_static("irc"),
        ];
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        let chosen = chosen(&headers, &allowed)?;
        ["websocket", "irc"].into_iter().find(|name| chosen == name)
    }

    #[test]
    fn the_clients_first_choice_that_is_allowed_is_asked_for() {
        let upgrade = ("connection", "keep-alive, Upgrade");
        assert_eq!(of(&[upgrade, ("upgrade", "WebSocket")]), Some("websocket"));
        assert_eq!(
            of(&[upgrade, ("upgrade", "h2c, irc ,websocket")]),
            Some("irc")
        );
        assert_eq!(
            of(&[upgrade, ("upgrade", "h2c"), ("upgrade", "websocket")]),
            Some("websocket")
        );
        assert_eq!(of(&[upgrade, ("upgrade", "h2c")]), None);
        assert_eq!(of(&[upgrade, ("upgrade", "websocket2")]), None);
        assert_eq!(of(&[upgrade]), None);
        assert_eq!(of(&[("upgrade", "websocket")]), None);
        assert_eq!(
            of(&[("connection", "close"), ("upgrade", "websocket")]),
            None
        );
    }
}
