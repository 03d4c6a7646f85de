//! A gateway with services behind it, and a client that says what it likes.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use msf_auth::{SigningKey, TokenIssuer, TrustedIssuer, Verifier};
use msf_client::{
    Client,
    transport::{Connections, Protocol},
};
use msf_core::{
    body::Body,
    name::{InstanceId, ServiceName},
    server::Limits,
    task,
    testing::{TestResponse, TestServer},
};
use msf_gateway::{Gateway, GatewayBuilder, Route, RunningGateway};
use msf_registry::{Instance, Registration, Registry, backend::memory::MemoryRegistry};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Notify, Semaphore},
    time,
};

/// Services in a registry of their own, and who may call them.
pub(crate) struct System {
    pub(crate) registry: Registry,
    pub(crate) issuer: TokenIssuer,
    registrations: Vec<Registration>,
    servers: Vec<TestServer>,
}

impl System {
    pub(crate) fn new() -> Self {
        let key = SigningKey::generate_ed25519().unwrap();
        Self {
            registry: Registry::new(MemoryRegistry::new()),
            issuer: TokenIssuer::new(ISSUER, key),
            registrations: Vec::new(),
            servers: Vec::new(),
        }
    }

    /// A service that is a function.
    pub(crate) async fn with<F, R>(mut self, name: &str, answer: F) -> Self
    where
        F: Fn(Request<Body>) -> R + Clone + Send + 'static,
        R: Future<Output = Response<Body>> + Send + 'static,
    {
        let service = tower::service_fn(move |request| {
            let answer = answer(request);
            async move { Ok::<_, Infallible>(answer.await) }
        });
        let server = TestServer::start(service).await;
        let addr = server.addr();
        self.servers.push(server);
        self.with_addr(name, addr).await
    }

    /// A service that says "late" to a request once it is let go.
    pub(crate) async fn with_held(self, name: &str) -> (Self, Held) {
        let held = Held {
            begun: Arc::default(),
            go: Arc::new(Semaphore::new(0)),
        };
        let waiting = held.clone();
        let answer = move |_request| {
            let Held { begun, go } = waiting.clone();
            async move {
                begun.notify_one();
                let _permit = go.acquire().await.unwrap();
                Response::new(Body::from("late"))
            }
        };
        (self.with(name, answer).await, held)
    }

    /// A service that somebody else serves, or nobody.
    pub(crate) async fn with_addr(mut self, name: &str, addr: SocketAddr) -> Self {
        let name = ServiceName::new(name).unwrap();
        let id = InstanceId::random(&name);
        let registration = self.registry.register(Instance::new(name, id, addr));
        registration.registered().await.unwrap();
        self.registrations.push(registration);
        self
    }

    pub(crate) fn verifier(&self) -> Verifier {
        let trusted = TrustedIssuer::new(ISSUER, self.issuer.jwks()).audience("shop");
        Verifier::builder().issuer(trusted).build().unwrap()
    }

    pub(crate) fn token(&self, subject: &str, scopes: &[&str]) -> String {
        let token = self.issuer.token(subject).audience("shop");
        token.scopes(scopes).sign().unwrap()
    }

    /// A gateway whose services are known already.
    pub(crate) async fn gateway(&self, routes: impl IntoIterator<Item = Route>) -> Gateway {
        let client = Client::builder(self.registry.clone()).build().unwrap();
        self.build(Gateway::builder(client).routes(routes)).await
    }

    pub(crate) async fn build(&self, builder: GatewayBuilder) -> Gateway {
        let gateway = builder.verifier(self.verifier()).build().unwrap();
        for service in self.registry.services().await.unwrap() {
            let endpoints = self.registry.service(&service);
            endpoints.ready(PATIENCE).await.unwrap();
        }
        gateway
    }

    /// A gateway that serves on one thread.
    pub(crate) async fn serve(&self, routes: impl IntoIterator<Item = Route>) -> RunningGateway {
        start(self.gateway(routes).await)
    }
}

/// Requests that wait at a service.
#[derive(Clone)]
pub(crate) struct Held {
    begun: Arc<Notify>,
    go: Arc<Semaphore>,
}

impl Held {
    /// Waits until one is there.
    pub(crate) async fn begun(&self) {
        let begun = time::timeout(PATIENCE, self.begun.notified());
        begun.await.expect("a request comes to the service");
    }

    /// Lets them go, one after the other.
    pub(crate) fn let_go(&self) {
        self.go.add_permits(1);
    }
}

pub(crate) fn start(gateway: Gateway) -> RunningGateway {
    let limits = Limits::default().idle_timeout(Duration::from_secs(5));
    let server = gateway.server(([127, 0, 0, 1], 0).into()).workers(1);
    server.limits(limits).start().unwrap()
}

/// A gateway that serves on one thread and speaks so to its services.
pub(crate) fn start_speaking(gateway: Gateway, protocol: Protocol) -> RunningGateway {
    let limits = Limits::default().idle_timeout(Duration::from_secs(5));
    let server = gateway.server(([127, 0, 0, 1], 0).into()).workers(1);
    let connections = Connections::builder().protocol(protocol);
    let server = server.limits(limits).connections(connections);
    server.start().unwrap()
}

/// What a service does with each connection, without a server that knows better.
pub(crate) async fn scripted<F, T>(script: F) -> SocketAddr
where
    F: Fn(TcpStream) -> T + Send + 'static,
    T: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let accepting = async move {
        while let Ok((stream, _)) = listener.accept().await {
            task::spawn("scripted connection", script(stream)).detach();
        }
    };
    task::spawn("scripted service", accepting).detach();
    addr
}

/// Waits for something that happens elsewhere.
pub(crate) async fn eventually(mut is_so: impl FnMut() -> bool) {
    let wait = async {
        while !is_so() {
            time::sleep(Duration::from_millis(2)).await;
        }
    };
    let became = time::timeout(PATIENCE, wait).await;
    became.expect("it becomes so in time");
}

/// Answers with what it got: method, path and headers.
pub(crate) async fn mirror(request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let headers: Vec<(String, String)> = parts
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    let seen = serde_json::json!({
        "method": parts.method.as_str(),
        "target": parts.uri.to_string(),
        "headers": headers,
        "body": String::from_utf8_lossy(&body),
    });
    Response::new(Body::from(seen.to_string()))
}

/// What a mirror saw of one header, all values.
pub(crate) fn seen(response: &TestResponse, name: &str) -> Vec<String> {
    let seen: serde_json::Value = response.json();
    let headers = seen["headers"].as_array().unwrap().iter();
    headers
        .filter(|pair| pair[0] == name)
        .map(|pair| pair[1].as_str().unwrap().to_owned())
        .collect()
}

pub(crate) async fn hello(_request: Request<Body>) -> Response<Body> {
    Response::new(Body::from("hello"))
}

pub(crate) async fn get(addr: SocketAddr, path: &str) -> TestResponse {
    send(addr, Request::get(path).body(Body::empty()).unwrap()).await
}

/// Sends a request over a connection of its own, with a host unless it has one.
pub(crate) async fn send(addr: SocketAddr, mut request: Request<Body>) -> TestResponse {
    let headers = request.headers_mut();
    headers
        .entry("host")
        .or_insert("shop.example".parse().unwrap());
    let connections = Connections::default();
    let response = time::timeout(PATIENCE, connections.send(addr, request));
    TestResponse::read(response.await.unwrap().unwrap()).await
}

/// Sends bytes and reads until the gateway closes.
pub(crate) async fn raw(addr: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // A reset after the answer is as good as an end here.
    let read = time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    let _end = read.unwrap_or_else(|_| panic!("no end of {:?}", String::from_utf8_lossy(&answer)));
    String::from_utf8_lossy(&answer).into_owned()
}

/// Reads until what has arrived contains a text.
pub(crate) async fn read_until(stream: &mut TcpStream, text: &str) -> String {
    let mut seen = Vec::new();
    let read = async {
        while !String::from_utf8_lossy(&seen).contains(text) {
            let mut piece = [0; 4_096];
            let len = stream.read(&mut piece).await.unwrap();
            assert_ne!(len, 0, "closed after {:?}", String::from_utf8_lossy(&seen));
            seen.extend_from_slice(&piece[..len]);
        }
    };
    let ended = time::timeout(PATIENCE, read).await;
    assert!(
        ended.is_ok(),
        "no {text:?} in {:?}",
        String::from_utf8_lossy(&seen)
    );
    String::from_utf8_lossy(&seen).into_owned()
}

pub(crate) fn bytes(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
const ISSUER: &str = "https://user.shop";
