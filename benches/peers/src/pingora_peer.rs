//! The smallest proxy on pingora, for `gateway-compare`: `pingora-peer PORT SERVICE..`, one worker, plain HTTP/1.1.

use std::{
    env,
    error::Error,
    sync::atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use pingora_core::{
    Result, server::{Server, configuration::ServerConf}, upstreams::peer::HttpPeer,
};
use pingora_proxy::{ProxyHttp, Session, http_proxy_service};

struct Peer {
    services: Vec<String>,
    next: AtomicUsize,
}

#[async_trait]
impl ProxyHttp for Peer {
    type CTX = ();

    fn new_ctx(&self) {}

    async fn upstream_peer(&self, _session: &mut Session, (): &mut ()) -> Result<Box<HttpPeer>> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.services.len();
        let peer = HttpPeer::new(self.services[turn].as_str(), false, String::new());
        Ok(Box::new(peer))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let port = args.next().ok_or("pingora-peer PORT SERVICE..")?;
    let peer = Peer {
        services: args.collect(),
        next: AtomicUsize::new(0),
    };
    let conf = ServerConf {
        threads: 1,
        upstream_keepalive_pool_size: 64,
        ..ServerConf::default()
    };
    let mut server = Server::new_with_opt_and_conf(None, conf);
    server.bootstrap();
    let mut proxy = http_proxy_service(&server.configuration, peer);
    proxy.add_tcp(&format!("127.0.0.1:{port}"));
    server.add_service(proxy);
    server.run_forever();
}
