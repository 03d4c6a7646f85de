//! The ledger against a registry that is a map.

use super::*;

/// A registry that is a map; what it holds of each id, and until when.
#[derive(Default)]
struct Map {
    listed: BTreeMap<InstanceId, (String, Arc<Instance>, Instant)>,
    tokens: u64,
}

impl Map {
    fn put(&mut self, instance: &Arc<Instance>, now: Instant) -> Lease {
        self.tokens += 1;
        let token = self.tokens.to_string();
        let listed = (token.clone(), Arc::clone(instance), now + TTL);
        self.listed.insert(instance.id.clone(), listed);
        Lease::new(instance.service.clone(), instance.id.clone(), token, TTL)
    }

    fn holds(&mut self, lease: &Lease, now: Instant) -> Option<&mut Instant> {
        let (token, _, until) = self.listed.get_mut(lease.instance())?;
        (token == lease.token() && *until > now).then_some(until)
    }
}

#[derive(Clone, Debug)]
enum Step {
    Add(u16),
    Change(u16, u16),
    End(u16),
    /// The next calls find the registry like this.
    Mode(Mode),
    Forget,
    Pass(u16),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode {
    Up,
    Away,
    /// It does what it is asked and the answer is lost.
    Mute,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0_u16..4).prop_map(Step::Add),
        ((0_u16..4), (0_u16..3)).prop_map(|(n, version)| Step::Change(n, version)),
        (0_u16..4).prop_map(Step::End),
        prop_oneof![Just(Mode::Up), Just(Mode::Away), Just(Mode::Mute)].prop_map(Step::Mode),
        Just(Step::Forget),
        (1_u16..20_000).prop_map(Step::Pass),
    ]
}

/// Answers every call at once, until `until`.
fn run(ledger: &mut Ledger, map: &mut Map, mode: Mode, now: Instant, until: Instant) {
    let mut at = now;
    loop {
        while let Some(call) = ledger.call(at) {
            match call {
                Call::Put(number, asked) => {
                    let lease = (mode != Mode::Away).then(|| map.put(&asked.instance, at));
                    let answer = lease.filter(|_| mode == Mode::Up).ok_or_else(away);
                    ledger.put(number, &asked, answer.as_ref().map(Lease::clone), at);
                }
                Call::Renew(batch) => {
                    let (numbers, leases): (Vec<Number>, Vec<Lease>) = batch.into_iter().unzip();
                    let mut answers = Vec::new();
                    for lease in &leases {
                        let held = map.holds(lease, at).filter(|_| mode != Mode::Away);
                        let until = held.map(|until| *until = at + TTL);
                        answers.push(until.map_or(GONE, |()| OK));
                    }
                    let heard = if mode == Mode::Up {
                        answers
                    } else {
                        Vec::new()
                    };
                    ledger.renewed(&numbers, &heard, at);
                }
                Call::Remove { number, lease, .. } => {
                    if mode != Mode::Away && map.holds(&lease, at).is_some() {
                        map.listed.remove(lease.instance());
                    }
                    ledger.removed(number, mode == Mode::Up, at);
                }
            }
        }
        match ledger.next_at() {
            Some(next) if next <= until => at = next.max(at + MS / 1_000),
            _ => return,
        }
    }
}

proptest! {
    /// Whatever happens to the registry on the way: once it is up, it holds within one time to live what this
    /// process wants, and nothing that it has ended within two.
    #[test]
    fn the_registry_comes_to_hold_what_is_wanted(
        steps in proptest::collection::vec(step(), 1..60),
        seed: u64,
    ) {
        let (mut ledger, mut map) = (Ledger::new(TTL, seed), Map::default());
        let (mut now, mut mode) = (clock::now(), Mode::Up);
        let mut wanted: HashMap<u16, (Number, Instance)> = HashMap::new();
        for step in steps {
            match step {
                Step::Add(n) => match ledger.add(instance(n), now) {
                    Ok(number) => prop_assert!(wanted.insert(n, (number, instance(n))).is_none()),
                    Err(Duplicate) => prop_assert!(wanted.contains_key(&n)),
                },
                Step::Change(n, version) => {
                    if let Some((number, instance)) = wanted.get_mut(&n) {
                        *instance = instance.clone().version(version.to_string());
                        prop_assert!(ledger.change(*number, instance.clone(), now).is_some());
                    }
                }
                Step::End(n) => {
                    if let Some((number, _)) = wanted.remove(&n) {
                        prop_assert!(ledger.end(number, now, END));
                    }
                }
                Step::Mode(next) => mode = next,
                Step::Forget => map.listed.clear(),
                Step::Pass(ms) => {
                    let until = now + MS * u32::from(ms);
                    run(&mut ledger, &mut map, mode, now, until);
                    now = until;
                }
            }
        }
        run(&mut ledger, &mut map, Mode::Up, now, now + TTL);
        now += TTL;
        for (number, instance) in wanted.values() {
            let held = map.listed.get(&instance.id);
            prop_assert!(held.is_some_and(|(_, held, until)| **held == *instance && *until > now));
            prop_assert_eq!(ledger.stage(*number, now), Stage::Registered);
        }
        run(&mut ledger, &mut map, Mode::Up, now, now + TTL);
        now += TTL;
        let alive = map.listed.values().filter(|(_, _, until)| *until > now).count();
        prop_assert_eq!(alive, wanted.len());
        for (number, _) in wanted.values() {
            ledger.end(*number, now, END);
        }
        run(&mut ledger, &mut map, Mode::Up, now, now + END);
        prop_assert!(ledger.is_empty());
        prop_assert_eq!(ledger.next_at(), None);
    }
}
