//! Where the points of each instance are.

use super::RingHash;
use crate::balance::{hash, keyed::Keyed};

/// The points of all hosts, each with the index of its host.
pub(super) fn of_hosts(by: RingHash, hosts: &[Keyed<'_>]) -> Vec<(u64, u32)> {
    match by {
        RingHash::XxHash => xxhash(hosts, &counts(hosts)),
        RingHash::Envoy => xxhash(hosts, &envoy_counts(hosts, 1_024, 8 << 20)),
        RingHash::Ketama => ketama::libketama(hosts),
        RingHash::Nginx => ketama::nginx(hosts),
    }
}

/// The hash of the key of a call.
pub(super) fn of_key(by: RingHash, key: &[u8]) -> u64 {
    match by {
        RingHash::XxHash | RingHash::Envoy => hash::of(key),
        RingHash::Ketama => ketama::upper(ketama::md5(key)[0]),
        RingHash::Nginx => ketama::upper(crc32fast::hash(key)),
    }
}

/// Envoy's points: the hashes of `key_0`, `key_1` and so on.
pub(super) fn xxhash(hosts: &[Keyed<'_>], counts: &[usize]) -> Vec<(u64, u32)> {
    let mut points = Vec::with_capacity(counts.iter().sum());
    let mut text = String::new();
    for ((index, host), count) in (0_u32..).zip(hosts).zip(counts) {
        for n in 0..*count {
            text.clear();
            text.push_str(&host.key);
            text.push('_');
            text.push_str(decimal(n, &mut [0; 20]));
            points.push((hash::of(text.as_bytes()), index));
        }
    }
    points
}

/// [`POINTS`] for each unit of weight, the unit being a power of two that is at most the mean weight.
///
/// A unit that followed the mean would give all instances other points whenever one comes or goes, and each new
/// point moves keys that could have stayed.
pub(super) fn counts(hosts: &[Keyed<'_>]) -> Vec<usize> {
    let sum: usize = hosts.iter().map(|host| usize::from(host.weight)).sum();
    let mean = (sum / hosts.len().max(1)).max(1);
    let mut shift = mean.ilog2();
    while (POINTS * sum) >> shift > POINTS_MAX {
        shift += 1;
    }
    let count = |host: &Keyed<'_>| ((POINTS * usize::from(host.weight)) >> shift).max(1);
    hosts.iter().map(count).collect()
}

/// As many as Envoy gives them: the lightest a whole number, all together at least `min` and at most `max`.
pub(super) fn envoy_counts(hosts: &[Keyed<'_>], min: usize, max: usize) -> Vec<usize> {
    let sum: f64 = hosts.iter().map(|host| f64::from(host.weight)).sum();
    let share = |host: &Keyed<'_>| f64::from(host.weight) / sum;
    let least = hosts.iter().map(share).fold(1.0, f64::min);
    let scale = ((least * min as f64).ceil() / least).min(max as f64);
    let (mut given, mut due) = (0_usize, 0.0);
    hosts
        .iter()
        .map(|host| {
            due += scale * share(host);
            let before = given;
            while (given as f64) < due {
                given += 1;
            }
            given - before
        })
        .collect()
}

/// A number as text, without the machinery of formatting: a ring has a million of them.
fn decimal(mut n: usize, digits: &mut [u8; 20]) -> &str {
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (n % 10) as u8;
        n /= 10;
        if n == 0 {
            break;
        }
    }
    std::str::from_utf8(&digits[at..]).expect("digits are ASCII")
}

pub(super) mod ketama {
    //! Rings of 2^32 places: the upper half of ours.

    use md5::{Digest, Md5};

    use super::{POINTS, POINTS_MAX, decimal};
    use crate::balance::keyed::Keyed;

    pub(super) fn upper(hash: u32) -> u64 {
        u64::from(hash) << 32
    }

    /// The four words of a digest.
    pub(super) fn md5(text: &[u8]) -> [u32; 4] {
        let digest: [u8; 16] = Md5::digest(text).into();
        let word = |n: usize| {
            let bytes = [digest[n], digest[n + 1], digest[n + 2], digest[n + 3]];
            u32::from_le_bytes(bytes)
        };
        [word(0), word(4), word(8), word(12)]
    }

    /// Four points for each digest of `key-0`, `key-1` and so on; 40 digests for a host of mean weight.
    pub(in super::super) fn libketama(hosts: &[Keyed<'_>]) -> Vec<(u64, u32)> {
        let sum: f32 = hosts.iter().map(|host| f32::from(host.weight)).sum();
        let per_mean = (POINTS / 4).min((POINTS_MAX / 4).div_ceil(hosts.len().max(1)));
        let mut points = Vec::with_capacity(hosts.len() * POINTS);
        for (index, host) in (0_u32..).zip(hosts) {
            // In single precision, as libketama and libmemcached reckon: the ring of uneven weights depends on it.
            let share = f32::from(host.weight) / sum;
            let digests = share * per_mean as f32 * hosts.len() as f32;
            for n in 0..(digests as usize).max(1) {
                let text = [&host.key, "-", decimal(n, &mut [0; 20])].concat();
                points.extend(md5(text.as_bytes()).map(|point| (upper(point), index)));
            }
        }
        points
    }

    /// CRC-32 of `host NUL port` and of the point before, 160 times for each unit of weight.
    pub(in super::super) fn nginx(hosts: &[Keyed<'_>]) -> Vec<(u64, u32)> {
        let sum: usize = hosts.iter().map(|host| usize::from(host.weight)).sum();
        let mut shift = 0;
        while (POINTS * sum) >> shift > POINTS_MAX {
            shift += 1;
        }
        let mut points = Vec::with_capacity((POINTS * sum) >> shift);
        for (index, host) in (0_u32..).zip(hosts) {
            let (name, port) = host.key.rsplit_once(':').unwrap_or((&host.key, ""));
            let mut base = crc32fast::Hasher::new();
            base.update(name.as_bytes());
            base.update(b"\0");
            base.update(port.as_bytes());
            let mut before = 0_u32;
            for _ in 0..((POINTS * usize::from(host.weight)) >> shift).max(1) {
                let mut hash = base.clone();
                hash.update(&before.to_le_bytes());
                before = hash.finalize();
                points.push((upper(before), index));
            }
        }
        points
    }
}

/// Shares then differ by about 8 %. What libketama and nginx have.
const POINTS: usize = 160;
/// About 20 MB.
const POINTS_MAX: usize = 1 << 20;
