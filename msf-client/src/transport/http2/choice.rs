//! Where the next request goes: numbers only.

/// How much of a connection is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Load {
    pub(super) streams: usize,
    /// How many there may be.
    pub(super) max: usize,
}

/// What a callee has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stock<'a> {
    pub(super) loads: &'a [Load],
    /// Connections that are being opened.
    pub(super) opening: usize,
    /// Requests in line.
    pub(super) waiting: usize,
    /// What is expected of a connection that is being opened.
    pub(super) streams_max: usize,
}

/// What a request does that comes now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// It takes a stream of this connection.
    Take(usize),
    /// It opens a connection.
    Open,
    /// It waits.
    Wait,
    /// It is refused.
    Full,
}

impl Load {
    /// Below this many streams a connection is the first choice: four fifths, and at least one.
    pub(super) const fn comfort(self) -> usize {
        let comfort = self.max.saturating_mul(4) / 5;
        if comfort == 0 { 1 } else { comfort }
    }

    pub(super) const fn is_comfortable(self) -> bool {
        self.streams < self.comfort()
    }

    pub(super) const fn has_room(self) -> bool {
        self.streams < self.max
    }
}

/// Decides. Connections fill up in their order, so that those which are not needed become idle.
pub(super) fn choose(stock: Stock<'_>, max_connections: usize, queue_max: usize) -> Choice {
    let comfortable = stock.loads.iter().position(|load| load.is_comfortable());
    if let Some(at) = comfortable {
        return Choice::Take(at);
    }
    let may_open = stock.loads.len() + stock.opening < max_connections;
    if may_open && stock.opening == 0 {
        return Choice::Open;
    }
    if let Some(at) = least_loaded(stock.loads) {
        return Choice::Take(at);
    }
    let expected = Load {
        streams: 0,
        max: stock.streams_max,
    };
    // Those who wait for what is on its way are not the queue: it will take them, and its opener.
    let on_its_way = stock.opening.saturating_mul(expected.comfort() - 1);
    if stock.waiting < on_its_way {
        return Choice::Wait;
    }
    if may_open {
        return Choice::Open;
    }
    if stock.waiting - on_its_way < queue_max {
        return Choice::Wait;
    }
    Choice::Full
}

/// Where there is still room, the emptiest.
pub(super) fn least_loaded(loads: &[Load]) -> Option<usize> {
    let with_room = loads.iter().enumerate().filter(|(_, load)| load.has_room());
    with_room
        .min_by_key(|(_, load)| load.streams)
        .map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn load(streams: usize, max: usize) -> Load {
        Load { streams, max }
    }

    fn chosen(loads: &[Load], opening: usize, waiting: usize) -> Choice {
        let stock = Stock {
            loads,
            opening,
            waiting,
            streams_max: 100,
        };
        choose(stock, 3, 2)
    }

    #[test]
    fn the_next_connection_is_opened_at_four_fifths() {
        assert_eq!(chosen(&[], 0, 0), Choice::Open);
        assert_eq!(chosen(&[load(79, 100)], 0, 0), Choice::Take(0));
        assert_eq!(chosen(&[load(80, 100)], 0, 0), Choice::Open);
        assert_eq!(chosen(&[load(80, 100)], 1, 0), Choice::Take(0));
        assert_eq!(
            chosen(&[load(90, 100), load(85, 100)], 1, 0),
            Choice::Take(1)
        );
        assert_eq!(
            chosen(&[load(80, 100), load(3, 100)], 0, 0),
            Choice::Take(1)
        );
    }

    #[test]
    fn a_burst_shares_the_connections_that_are_being_opened() {
        assert_eq!(chosen(&[], 1, 0), Choice::Wait);
        assert_eq!(chosen(&[], 1, 78), Choice::Wait);
        assert_eq!(chosen(&[], 1, 79), Choice::Open);
        assert_eq!(chosen(&[], 3, 238), Choice::Wait);
        assert_eq!(chosen(&[], 3, 239), Choice::Full);
    }

    #[test]
    fn when_all_is_in_use_the_line_is_bounded() {
        let full = [load(1, 1), load(1, 1), load(1, 1)];
        assert_eq!(chosen(&full, 0, 0), Choice::Wait);
        assert_eq!(chosen(&full, 0, 2), Choice::Full);
        assert_eq!(chosen(&[load(0, 1)], 0, 0), Choice::Take(0));
        assert_eq!(
            chosen(&[load(0, 0)], 0, 0),
            Choice::Take(0),
            "a callee that allows none yet"
        );
    }

    proptest! {
        #[test]
        fn nothing_is_exceeded(
            loads in proptest::collection::vec((0_usize..12, 1_usize..10), 0..5),
            opening in 0_usize..3,
            waiting in 0_usize..40,
            max_connections in 1_usize..6,
            queue_max in 0_usize..10,
        ) {
            let loads: Vec<Load> = loads.into_iter().map(|(streams, max)| load(streams, max)).collect();
            let stock = Stock { loads: &loads, opening, waiting, streams_max: 10 };
            match choose(stock, max_connections, queue_max) {
                Choice::Take(at) => prop_assert!(loads[at].streams < loads[at].max),
                Choice::Open => prop_assert!(loads.len() + opening < max_connections),
                Choice::Wait => prop_assert!(waiting < queue_max + opening * 7),
                Choice::Full => {
                    prop_assert!(loads.iter().all(|load| !load.has_room()));
                    prop_assert!(waiting >= queue_max);
                }
            }
        }
    }
}
