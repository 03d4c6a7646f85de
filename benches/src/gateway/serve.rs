//! The proxies that are this program, and the services: `serve KIND ADDR ADDR..`.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{Method, Request, Response, Uri, header, uri::PathAndQuery};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client as LegacyClient, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use msf_auth::{
    Algorithm, HmacKey, Key as VerifyKey, KeySet, TrustedIssuer, Verifier, cache::TokenCache,
    policy::scope,
};
use msf_client::Client;
use msf_core::{
    BoxError,
    clock::WallClock,
    config::Secret,
    name::ServiceName,
    server::{Limits, Listener, Server},
    task,
};
use msf_gateway::{Gateway, Key, RateKey, Route};
use msf_registry::{Registry, backend::fixed::StaticRegistry};
use msf_resilience::rate_limit::{Quota, RateLimiter};
use serde_json::json;
use tokio::net::TcpListener;

/// Serves for ever; the arguments are those after `serve`.
///
/// # Errors
///
/// When the arguments are wrong, or an address cannot be listened on.
pub fn serve(args: &[String]) -> Result<(), BoxError> {
    let (kind, addrs) = args.split_first().ok_or("serve KIND ADDR ADDR..")?;
    let addrs: Vec<SocketAddr> = addrs
        .iter()
        .map(|addr| addr.parse())
        .collect::<Result<_, _>>()?;
    let (own, services) = addrs.split_first().ok_or("serve KIND ADDR ADDR..")?;
    // For the services, and for what the gateway does beside serving; its worker has a runtime of its own.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match kind.as_str() {
            "services" => answer(&addrs).await,
            "naive" => naive(*own, services).await,
            _ => gateway(kind, *own, services).await,
        }
    })
}

/// The services: 128 bytes at once, or 16 KiB, or 128 bytes after the whole body was read.
async fn answer(addrs: &[SocketAddr]) -> Result<(), BoxError> {
    let mut serving = Vec::new();
    for addr in addrs {
        let listener = TcpListener::bind(addr).await?;
        serving.push(task::spawn("service", accept(listener)));
    }
    for service in serving {
        service.join().await.ok_or("a service panicked")??;
    }
    Ok(())
}

async fn accept(listener: TcpListener) -> Result<(), std::io::Error> {
    let small = Bytes::from("x".repeat(128));
    let large = Bytes::from("x".repeat(16 * 1024));
    loop {
        let (stream, _) = listener.accept().await?;
        let _low_latency = stream.set_nodelay(true);
        let (small, large) = (small.clone(), large.clone());
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            let body = if request.uri().path().ends_with("/large") {
                large.clone()
            } else {
                small.clone()
            };
            async move {
                if request.method() == Method::POST {
                    request.into_body().collect().await?;
                }
                Ok::<_, hyper::Error>(Response::new(Full::new(body)))
            }
        });
        let http = hyper::server::conn::http1::Builder::new();
        let served = http.serve_connection(TokioIo::new(stream), service);
        task::spawn("connection", served).detach();
    }
}

/// A proxy as one writes it in an afternoon: correct for simple requests, and none of the rest.
async fn naive(addr: SocketAddr, services: &[SocketAddr]) -> Result<(), BoxError> {
    let listener = TcpListener::bind(addr).await?;
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client: LegacyClient<_, Incoming> =
        LegacyClient::builder(TokioExecutor::new()).build(connector);
    let authorities: Vec<String> = services.iter().map(ToString::to_string).collect();
    // Leaked once per process, so that requests share it at no cost.
    let authorities: &'static [String] = authorities.leak();
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    loop {
        let (stream, _) = listener.accept().await?;
        let _low_latency = stream.set_nodelay(true);
        let client = client.clone();
        let forward = hyper::service::service_fn(move |mut request: Request<Incoming>| {
            let turn = NEXT.fetch_add(1, Ordering::Relaxed) % authorities.len();
            let path = request.uri().path_and_query().cloned();
            let target = Uri::builder()
                .scheme("http")
                .authority(authorities[turn].as_str())
                .path_and_query(path.unwrap_or_else(|| PathAndQuery::from_static("/")))
                .build();
            let client = client.clone();
            async move {
                *request.uri_mut() = target?;
                request.headers_mut().remove(header::HOST);
                let response = client.request(request).await?;
                Ok::<_, BoxError>(response)
            }
        });
        let http = hyper::server::conn::http1::Builder::new();
        let served = http.serve_connection(TokioIo::new(stream), forward);
        task::spawn("connection", served).detach();
    }
}

/// The gateway with what it does by default, in front of three endpoints.
async fn gateway(kind: &str, addr: SocketAddr, services: &[SocketAddr]) -> Result<(), BoxError> {
    let name = ServiceName::new("service")?;
    let registry = StaticRegistry::new().addrs(&name, services.iter().copied())?;
    let registry = Registry::new(registry);
    let orders = Route::prefix("/api/orders").to("service");
    let orders = if kind == "gateway-jwt" {
        let limiter = RateLimiter::<RateKey>::builder(Quota::per_second(1_000_000)).name("orders");
        orders
            .policy(scope("orders:read"))
            .rate_limit(limiter.build()?, Key::Subject)
    } else {
        orders.public()
    };
    let others = (1..ROUTES).map(|at| {
        Route::prefix(format!("/api/other-{at}"))
            .to("service")
            .public()
    });
    let gateway = Gateway::builder(Client::builder(registry.clone()).build()?)
        .verifier(verifier()?)
        .route(orders)
        .routes(others)
        .build()?;
    let known = registry.service(&name);
    known.ready(Duration::from_secs(5)).await?;
    if kind == "bare" {
        let service = gateway.into_unobserved_service();
        Server::new().serve(Listener::bind(addr)?, service).await?;
        return Ok(());
    }
    let mut server = gateway.server(addr).workers(1);
    if kind == CROWDED {
        // The crowd comes from one machine, and stays.
        let limits = Limits::default()
            .connections_max(50_000)
            .connections_per_address_max(0)
            .idle_timeout(Duration::from_secs(600));
        server = server.limits(limits);
    }
    let _running = server.start()?;
    std::future::pending().await
}

fn verifier() -> Result<Verifier, BoxError> {
    let key = HmacKey::hs256("k", &Secret::new(SECRET.to_vec()))?;
    let keys = KeySet::new([VerifyKey::from(key)])?;
    let trusted = TrustedIssuer::new(ISSUER, keys)
        .audience("shop")
        .algorithms([Algorithm::Hs256]);
    Ok(Verifier::builder()
        .issuer(trusted)
        .cache(TokenCache::default())
        .build()?)
}

/// A token that the gateway takes, for an hour.
///
/// # Errors
///
/// When the clock is before 1970.
pub fn token() -> Result<String, BoxError> {
    let now_s = WallClock::system().unix_seconds();
    let header = json!({ "alg": "HS256", "typ": "at+jwt", "kid": "k" });
    let claims = json!({
        "iss": ISSUER, "sub": "8a1d2f70-51c4-4f7e", "aud": "shop", "exp": now_s + 3_600, "iat": now_s,
        "jti": "fZ2mP0y1QnGk3sVt7uXw9A", "scope": "orders:read orders:write", "client_id": "shop-web",
    });
    let message = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header.to_string()),
        URL_SAFE_NO_PAD.encode(claims.to_string())
    );
    let signature = hmac::sign(
        &hmac::Key::new(hmac::HMAC_SHA256, &SECRET),
        message.as_bytes(),
    );
    Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

/// The kind of a gateway that takes many connections from one address.
pub const CROWDED: &str = "gateway-crowd";
const ROUTES: usize = 100;
const ISSUER: &str = "https://user.shop";
const SECRET: [u8; 32] = [7; 32];
