//! Real name servers on free ports, which can be killed and started again.

use std::{
    env,
    fmt::Write as _,
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, SystemTime},
};

use msf_core::name::ServiceName;
use msf_registry::{
    Discovery,
    backend::dns::{DnsRegistry, DnsRegistryBuilder, Query},
};
use tokio::time::timeout;

use crate::setup::eventually;

/// A program with a directory of its own; killed, and the directory removed, at the end of the test.
pub(crate) struct Server {
    program: &'static str,
    arguments: Vec<String>,
    pub(crate) directory: PathBuf,
    pub(crate) addr: SocketAddr,
    child: Option<Child>,
    serial: AtomicU32,
}

impl Server {
    /// BIND with the zone `example`, which is empty.
    pub(crate) async fn named() -> Self {
        let (directory, addr) = (directory(), free());
        let path = |name: &str| directory.join(name).display().to_string();
        let config = format!(
            "options {{ directory {:?}; listen-on port {} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};\n\
             pid-file none; lock-file none; session-keyfile {:?}; recursion no;\n\
             dnssec-validation no; notify no; querylog yes; max-records-per-type 0; max-cache-size 8m; }};\n\
             controls {{ }};\n\
             logging {{ channel queries {{ file {:?}; }}; category queries {{ queries; }}; }};\n\
             zone \"example\" {{ type primary; file {:?}; }};\n",
            path(""),
            addr.port(),
            path("session.key"),
            path("queries.log"),
            path("zone"),
        );
        fs::write(directory.join("named.conf"), config).expect("it can be written");
        let arguments = ["-f", "-4", "-n", "1", "-c", &path("named.conf")].map(str::to_owned);
        let mut server = Self {
            program: "named",
            arguments: arguments.into(),
            directory,
            addr,
            child: None,
            serial: AtomicU32::new(0),
        };
        server.write_zone(&[]);
        server.start().await;
        server
    }

    /// dnsmasq, which knows nothing but these lines of configuration about `example`.
    pub(crate) async fn dnsmasq(lines: &[&str]) -> Self {
        let (directory, addr) = (directory(), free());
        let mut config = format!(
            "port={}\nlisten-address=127.0.0.1\nbind-interfaces\nno-resolv\nno-hosts\nlocal=/example/\n\
             no-daemon\npid-file\nuser=root\nhost-record=serial-0.example,127.0.0.1\n",
            addr.port()
        );
        for line in lines {
            let _infallible = writeln!(config, "{line}");
        }
        let path = directory.join("dnsmasq.conf");
        fs::write(&path, config).expect("it can be written");
        let mut server = Self {
            program: "dnsmasq",
            arguments: vec![format!("--conf-file={}", path.display())],
            directory,
            addr,
            child: None,
            serial: AtomicU32::new(0),
        };
        server.start().await;
        server
    }

    /// Starts it, and waits until it answers.
    pub(crate) async fn start(&mut self) {
        self.spawn();
        self.loaded().await;
    }

    /// Starts it with whatever zone there is.
    pub(crate) fn spawn(&mut self) {
        let child = Command::new(self.program)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it is on PATH");
        self.child = Some(child);
    }

    /// As `kill -9`.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ended = child.kill();
            let _reaped = child.wait();
        }
    }

    /// The zone has these records, and no others, from now on.
    pub(crate) async fn zone(&self, records: &[String]) {
        self.write_zone(records);
        self.reload();
        // A file that is written right after the last load is taken for the same one: its time stamp is
        // coarser than the server's clock.
        for tries in 0.. {
            if timeout(RELOAD, self.loaded()).await.is_ok() {
                return;
            }
            assert!(tries < 20, "the zone is not loaded");
            let zone = fs::File::options()
                .append(true)
                .open(self.directory.join("zone"));
            zone.and_then(|zone| zone.set_modified(SystemTime::now()))
                .expect("it can be touched");
            self.reload();
        }
    }

    pub(crate) fn write_zone(&self, records: &[String]) {
        let serial = self.serial.fetch_add(1, Ordering::Relaxed) + 1;
        let mut zone = format!(
            "$TTL 1\n@ IN SOA ns.example. root.example. {serial} 3600 600 86400 1\n@ IN NS ns\n\
             ns IN A 127.0.0.1\nserial-{serial} IN A 127.0.0.1\n"
        );
        for record in records {
            let _infallible = writeln!(zone, "{record}");
        }
        // In one piece: a reload that is still under way must not read half of it.
        let (new, path) = (self.directory.join("zone.new"), self.directory.join("zone"));
        fs::write(&new, zone).expect("it can be written");
        fs::rename(new, path).expect("it can be renamed");
    }

    /// A zone that cannot be loaded: the server says SERVFAIL when it is started with it.
    pub(crate) fn break_zone(&self) {
        fs::write(self.directory.join("zone"), "@ IN SOA (\n").expect("it can be written");
    }

    fn reload(&self) {
        let process = self.child.as_ref().expect("it runs").id().to_string();
        let sent = Command::new("kill").args(["-HUP", &process]).status();
        assert!(sent.expect("kill is there").success());
    }

    async fn loaded(&self) {
        let serial = self.serial.load(Ordering::Relaxed);
        let name = ServiceName::new(format!("serial-{serial}")).expect("it is a name");
        let asking = self.build(Query::addresses("{service}.example", 1));
        eventually("the server has the zone", async || {
            let answer = asking.fetch(&name).await;
            answer.is_ok_and(|snapshot| !snapshot.instances().is_empty())
        })
        .await;
    }

    pub(crate) fn builder(&self, query: Query) -> DnsRegistryBuilder {
        DnsRegistry::builder(query)
            .server(self.addr)
            .attempt_timeout(Duration::from_millis(500))
            .timeout(Duration::from_secs(2))
    }

    pub(crate) fn build(&self, query: Query) -> DnsRegistry {
        self.builder(query).build().expect("the settings are right")
    }

    /// How many queries for the name it has seen.
    pub(crate) fn queries(&self, name: &str) -> usize {
        let log = fs::read_to_string(self.directory.join("queries.log")).unwrap_or_default();
        let query = format!("query: {name} IN");
        log.lines().filter(|line| line.contains(&query)).count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        let _left_behind = fs::remove_dir_all(&self.directory);
    }
}

fn directory() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let (process, n) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let directory = env::temp_dir().join(format!("msf-dns-{process}-{n}"));
    fs::create_dir(&directory).expect("the directory is new");
    directory
}

/// An address where nobody listens, neither by UDP nor by TCP.
fn free() -> SocketAddr {
    loop {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let addr = tcp.local_addr().expect("it is bound");
        if UdpSocket::bind(addr).is_ok() {
            return addr;
        }
    }
}

const RELOAD: Duration = Duration::from_millis(500);
