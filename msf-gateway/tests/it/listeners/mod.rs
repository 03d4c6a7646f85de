//! The front door: TLS, the PROXY protocol, and more than one address.

mod file;
mod proxy_protocol;
mod tls;

use std::{fs, net::SocketAddr, path::PathBuf, sync::Arc};

use msf_client::Client;
use msf_core::server::{
    Limits, Tls, TlsSettings,
    tls::{Certificate, ClientCertificates},
};
use msf_gateway::{Gateway, GatewayBuilder, GatewayListener, Route, RunningGateway};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, SanType};
use rustls::{
    ClientConfig, RootCertStore, SupportedProtocolVersion,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::common::{PATIENCE, System, mirror};

/// An authority, and files of what it signs.
struct Pki {
    dir: PathBuf,
    params: CertificateParams,
    key: KeyPair,
    root: CertificateDer<'static>,
}

impl Pki {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("msf-tls-{name}-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = params.self_signed(&key).unwrap();
        fs::write(dir.join("ca.pem"), root.pem()).unwrap();
        Self {
            dir,
            params,
            key,
            root: root.der().clone(),
        }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.dir.join(file)
    }

    /// A chain and its key, in PEM.
    fn signed(&self, params: &CertificateParams) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let issuer = rcgen::Issuer::from_params(&self.params, &self.key);
        let certificate = params.signed_by(&key, &issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    /// Writes `<file>.pem` and `<file>-key.pem` for these names.
    fn write(&self, file: &str, names: &[&str]) -> Certificate {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let (chain, key) = self.signed(&CertificateParams::new(names).unwrap());
        let (chain_path, key_path) = self.files(file);
        fs::write(&chain_path, chain).unwrap();
        fs::write(&key_path, key).unwrap();
        Certificate::files(chain_path, key_path)
    }

    fn files(&self, file: &str) -> (PathBuf, PathBuf) {
        let chain = self.path(&format!("{file}.pem"));
        (chain, self.path(&format!("{file}-key.pem")))
    }

    /// What a server shows that serves this file.
    fn shown(&self, file: &str) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(self.files(file).0).unwrap()
    }

    /// The certificate of a client, with a URI.
    fn client(&self, uri: &str) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
        let mut params = CertificateParams::new(["client.example".to_owned()]).unwrap();
        let uri = SanType::URI(uri.try_into().unwrap());
        params.subject_alt_names.push(uri);
        let (chain, key) = self.signed(&params);
        (
            CertificateDer::from_pem_slice(chain.as_bytes()).unwrap(),
            PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
        )
    }

    fn clients(&self, is_required: bool) -> ClientCertificates {
        let ca = self.path("ca.pem");
        if is_required {
            ClientCertificates::required(ca)
        } else {
            ClientCertificates::optional(ca)
        }
    }

    fn connect(&self) -> Connect<'_> {
        Connect {
            pki: self,
            alpn: &["http/1.1"],
            versions: rustls::DEFAULT_VERSIONS,
            client: None,
        }
    }
}

impl Drop for Pki {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.dir);
    }
}

/// How a client connects.
struct Connect<'a> {
    pki: &'a Pki,
    alpn: &'a [&'a str],
    versions: &'static [&'static SupportedProtocolVersion],
    client: Option<(CertificateDer<'static>, PrivateKeyDer<'static>)>,
}

impl<'a> Connect<'a> {
    fn alpn(mut self, alpn: &'a [&'a str]) -> Self {
        self.alpn = alpn;
        self
    }

    fn versions(mut self, versions: &'static [&'static SupportedProtocolVersion]) -> Self {
        self.versions = versions;
        self
    }

    fn with(mut self, client: (CertificateDer<'static>, PrivateKeyDer<'static>)) -> Self {
        self.client = Some(client);
        self
    }

    fn config(self) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.pki.root.clone()).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(self.versions)
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match self.client {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => builder.with_client_auth_cert(vec![chain], key).unwrap(),
        };
        config.alpn_protocols = self.alpn.iter().map(|it| it.as_bytes().to_vec()).collect();
        config
    }

    async fn to(
        self,
        addr: SocketAddr,
        name: &'static str,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let tcp = TcpStream::connect(addr).await.unwrap();
        self.over(tcp, name).await
    }

    async fn over(
        self,
        tcp: TcpStream,
        name: &'static str,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let connector = TlsConnector::from(Arc::new(self.config()));
        let name = ServerName::try_from(name).unwrap();
        let connected = time::timeout(PATIENCE, connector.connect(name, tcp));
        connected.await.expect("a handshake ends")
    }
}

/// Asks, and reads what has come once the connection ends or the answer does.
async fn ask<T: AsyncRead + AsyncWrite + Unpin>(stream: &mut T, request: &str) -> String {
    // An end that comes while it is written is seen when it is read.
    let _told = stream.write_all(request.as_bytes()).await;
    let _told = stream.flush().await;
    let mut seen = Vec::new();
    let read = async {
        let mut piece = [0; 4_096];
        loop {
            match stream.read(&mut piece).await {
                Ok(0) => break,
                Err(error) => {
                    seen.extend_from_slice(format!("!{error}").as_bytes());
                    break;
                }
                Ok(len) => seen.extend_from_slice(&piece[..len]),
            }
            if is_whole(&seen) {
                break;
            }
        }
    };
    let ended = time::timeout(PATIENCE, read).await;
    assert!(
        ended.is_ok(),
        "no end of {:?}",
        String::from_utf8_lossy(&seen)
    );
    String::from_utf8_lossy(&seen).into_owned()
}

fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    if head.contains("transfer-encoding") {
        return body.ends_with("0\r\n\r\n");
    }
    let length = head
        .lines()
        .find_map(|it| it.strip_prefix("content-length: "));
    let length = length.map_or(0, |it| it.parse::<usize>().unwrap());
    body.len() >= length
}

fn get(host: &str) -> String {
    format!("GET /a?b HTTP/1.1\r\nhost: {host}\r\n\r\n")
}

fn builder(system: &System) -> GatewayBuilder {
    let client = Client::builder(system.registry.clone()).build().unwrap();
    Gateway::builder(client).route(Route::prefix("/").to("order").public())
}

async fn system() -> System {
    System::new().with("order", mirror).await
}

/// Serves on one thread.
fn start(
    gateway: Gateway,
    listener: impl FnOnce(GatewayListener) -> GatewayListener,
) -> RunningGateway {
    let limits = Limits::default().idle_timeout(PATIENCE);
    let first = GatewayListener::new(([127, 0, 0, 1], 0).into()).limits(limits);
    gateway
        .serve_at(listener(first))
        .workers(1)
        .start()
        .unwrap()
}

async fn serve(system: &System, settings: TlsSettings) -> (RunningGateway, Tls) {
    let tls = Tls::load(settings).unwrap();
    let gateway = system.build(builder(system)).await;
    (start(gateway, |it| it.tls(tls.clone())), tls)
}
