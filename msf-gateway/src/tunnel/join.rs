//! Both directions of a tunnel, and what ends them.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use msf_core::{
    clock,
    server::{DrainSignal, Phase},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{self, Instant, Sleep},
};

use super::{
    metrics::{Reason, TunnelMetrics},
    pump::Pump,
};

/// Passes bytes between two connections until one of the reasons to end.
///
/// # Cancel safety
///
/// Dropping the future closes both connections.
pub(super) async fn join<C, S>(
    client: C,
    service: S,
    idle_timeout: Duration,
    drain: Option<DrainSignal>,
    metrics: &TunnelMetrics,
) -> Reason
where
    C: AsyncRead + AsyncWrite + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let _open = metrics.open.track();
    let now = clock::now();
    let mut tunnel = Tunnel {
        client,
        service,
        to_service: Pump::default(),
        to_client: Pump::default(),
        patience: Patience {
            idle: idle_timeout,
            last: now,
            is_half_closed: false,
            is_draining: false,
            is_cut: false,
        },
        timer: Box::pin(time::sleep(idle_timeout)),
        drain: drain.map(Draining::new),
        metrics,
    };
    let reason = poll_fn(|cx| tunnel.poll(cx)).await;
    metrics.ended(reason).inc();
    reason
}

struct Tunnel<'a, C, S> {
    client: C,
    service: S,
    to_service: Pump,
    to_client: Pump,
    patience: Patience,
    timer: Pin<Box<Sleep>>,
    drain: Option<Draining>,
    metrics: &'a TunnelMetrics,
}

/// How long a tunnel may be silent.
#[derive(Debug)]
struct Patience {
    idle: Duration,
    last: Instant,
    is_half_closed: bool,
    is_draining: bool,
    is_cut: bool,
}

impl Patience {
    fn end(&self) -> Instant {
        let mut limit = self.idle;
        if self.is_half_closed {
            limit = limit.min(HALF_CLOSED_MAX);
        }
        if self.is_draining {
            limit = limit.min(DRAINING_MAX);
        }
        self.last + limit
    }

    const fn reason(&self) -> Reason {
        if self.is_draining {
            Reason::Drained
        } else {
            Reason::Idle
        }
    }
}

impl<C, S> Tunnel<'_, C, S>
where
    C: AsyncRead + AsyncWrite + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
{
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Reason> {
        let to_service = self
            .to_service
            .poll(cx, &mut self.client, &mut self.service);
        let to_client = self.to_client.poll(cx, &mut self.service, &mut self.client);
        let (sent, received) = (self.to_service.take_bytes(), self.to_client.take_bytes());
        if sent > 0 || received > 0 {
            self.metrics.to_service.inc_by(sent);
            self.metrics.to_client.inc_by(received);
            self.patience.last = clock::now();
        }
        match self.drain.as_mut().and_then(|drain| drain.poll(cx)) {
            Some(Phase::Cut) => self.patience.is_cut = true,
            Some(_) => self.patience.is_draining = true,
            None => {}
        }
        if matches!(to_service, Poll::Ready(Err(_))) || matches!(to_client, Poll::Ready(Err(_))) {
            return Poll::Ready(if self.patience.is_cut {
                Reason::Drained
            } else {
                Reason::Failed
            });
        }
        match (self.to_service.has_ended(), self.to_client.has_ended()) {
            (true, true) => return Poll::Ready(Reason::Closed),
            (false, false) => {}
            // The server has closed the client's connection, which it counts: it is not for the tunnel to
            // be gone before.
            _ if self.patience.is_cut => return Poll::Ready(Reason::Drained),
            _ if self.patience.is_half_closed => {}
            _ => {
                self.patience.is_half_closed = true;
                self.patience.last = clock::now();
            }
        }
        self.poll_timer(cx)
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<Reason> {
        // What flows does not touch the timer, but where the end has come nearer it must.
        if self.timer.deadline() > self.patience.end() {
            self.timer.as_mut().reset(self.patience.end());
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            if clock::now() >= self.patience.end() {
                return Poll::Ready(self.patience.reason());
            }
            self.timer.as_mut().reset(self.patience.end());
        }
        Poll::Pending
    }
}

/// Waits for the phases of a drain that matter here.
struct Draining {
    signal: DrainSignal,
    next: Pin<Box<dyn Future<Output = ()> + Send>>,
    phase: Option<Phase>,
}

impl Draining {
    fn new(signal: DrainSignal) -> Self {
        Self {
            next: reached(&signal, Phase::Stopping),
            signal,
            phase: None,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Option<Phase> {
        while self.phase != Some(Phase::Cut) && self.next.as_mut().poll(cx).is_ready() {
            self.phase = match self.phase {
                None => Some(Phase::Stopping),
                Some(_) => Some(Phase::Cut),
            };
            self.next = reached(&self.signal, Phase::Cut);
        }
        self.phase
    }
}

fn reached(signal: &DrainSignal, phase: Phase) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    let signal = signal.clone();
    Box::pin(async move { signal.reached(phase).await })
}

/// A side that has said all it had to say has no way to tell that it is gone.
const HALF_CLOSED_MAX: Duration = Duration::from_secs(60);
/// Whoever is silent loses nothing by being asked to come again, to another gateway.
const DRAINING_MAX: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use msf_core::{metrics::Metrics, server::Drain};
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio_test::{assert_pending, assert_ready, task::spawn};

    use super::*;

    const IDLE: Duration = Duration::from_secs(600);

    struct Ends {
        client: DuplexStream,
        service: DuplexStream,
        metrics: TunnelMetrics,
        drain: Drain,
    }

    fn ends() -> (Ends, DuplexStream, DuplexStream) {
        let (client, near_client) = duplex(64);
        let (service, near_service) = duplex(64);
        let metrics = TunnelMetrics::register(&Metrics::new()).unwrap();
        let ends = Ends {
            client,
            service,
            metrics,
            drain: Drain::new(),
        };
        (ends, near_client, near_service)
    }

    #[tokio::test(start_paused = true)]
    async fn one_half_may_end_before_the_other() {
        let (mut ends, client, service) = ends();
        let mut tunnel = spawn(join(client, service, IDLE, None, &ends.metrics));
        assert_pending!(tunnel.poll());
        ends.client.write_all(b"question").await.unwrap();
        ends.client.shutdown().await.unwrap();
        assert_pending!(tunnel.poll());
        let mut seen = String::new();
        ends.service.read_to_string(&mut seen).await.unwrap();
        assert_eq!(seen, "question");
        ends.service.write_all(b"answer").await.unwrap();
        assert_pending!(tunnel.poll());
        drop(ends.service);
        assert_eq!(assert_ready!(tunnel.poll()), Reason::Closed);
        let mut seen = String::new();
        drop(tunnel);
        ends.client.read_to_string(&mut seen).await.unwrap();
        assert_eq!(seen, "answer");
        assert_eq!(ends.metrics.to_service.get(), 8);
        assert_eq!(ends.metrics.to_client.get(), 6);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_it_and_bytes_do_not() {
        let (mut ends, client, service) = ends();
        let mut tunnel = spawn(join(client, service, IDLE, None, &ends.metrics));
        assert_pending!(tunnel.poll());
        for _ in 0..3 {
            time::advance(IDLE - Duration::from_secs(1)).await;
            ends.service.write_all(b"x").await.unwrap();
            assert_pending!(tunnel.poll());
            ends.client.read_u8().await.unwrap();
        }
        time::advance(IDLE - Duration::from_secs(1)).await;
        assert_pending!(tunnel.poll());
        time::advance(Duration::from_secs(2)).await;
        assert_eq!(assert_ready!(tunnel.poll()), Reason::Idle);
    }

    #[tokio::test(start_paused = true)]
    async fn a_half_that_is_left_may_not_be_silent_for_long() {
        let (mut ends, client, service) = ends();
        let mut tunnel = spawn(join(client, service, IDLE, None, &ends.metrics));
        ends.client.shutdown().await.unwrap();
        assert_pending!(tunnel.poll());
        time::advance(HALF_CLOSED_MAX + Duration::from_millis(1)).await;
        assert!(tunnel.is_woken());
        assert_eq!(assert_ready!(tunnel.poll()), Reason::Idle);
    }

    #[tokio::test(start_paused = true)]
    async fn a_drain_ends_the_silent_at_once_and_the_others_at_its_end() {
        let (mut ends, client, service) = ends();
        let signal = ends.drain.signal();
        let mut tunnel = spawn(join(client, service, IDLE, Some(signal), &ends.metrics));
        assert_pending!(tunnel.poll());
        ends.drain.advance(Phase::Draining);
        time::advance(Duration::from_secs(30)).await;
        assert_pending!(tunnel.poll());
        ends.client.write_all(b"x").await.unwrap();
        assert_pending!(tunnel.poll());
        ends.drain.advance(Phase::Stopping);
        assert!(tunnel.is_woken());
        assert_pending!(tunnel.poll());
        time::advance(Duration::from_millis(900)).await;
        ends.client.write_all(b"x").await.unwrap();
        assert_pending!(tunnel.poll());
        time::advance(Duration::from_millis(900)).await;
        assert_pending!(tunnel.poll());
        ends.drain.advance(Phase::Cut);
        assert!(tunnel.is_woken());
        assert_pending!(tunnel.poll());
        // As the server does it.
        drop(ends.client);
        assert_eq!(assert_ready!(tunnel.poll()), Reason::Drained);
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_tunnel_ends_when_the_listener_is_closed() {
        let (ends, client, service) = ends();
        let signal = ends.drain.signal();
        let mut tunnel = spawn(join(client, service, IDLE, Some(signal), &ends.metrics));
        assert_pending!(tunnel.poll());
        ends.drain.advance(Phase::Stopping);
        time::advance(DRAINING_MAX).await;
        assert_eq!(assert_ready!(tunnel.poll()), Reason::Drained);
    }

    #[tokio::test(start_paused = true)]
    async fn dropping_it_closes_both_sides() {
        let (mut ends, client, service) = ends();
        let mut tunnel = spawn(join(client, service, IDLE, None, &ends.metrics));
        assert_pending!(tunnel.poll());
        drop(tunnel);
        assert!(ends.client.read_u8().await.is_err());
        assert!(ends.service.read_u8().await.is_err());
    }
}
