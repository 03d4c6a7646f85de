//! Which cluster a request goes to, where a route leads to several by weight.

/// Clusters by weight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Split {
    /// Where the part of each ends, in order; the last one is the sum of all weights.
    ends: Box<[u32]>,
}

impl Split {
    /// `None` if the weights are all zero or their sum does not fit.
    pub(crate) fn new(weights: impl IntoIterator<Item = u32>) -> Option<Self> {
        let mut sum = 0_u32;
        let ends: Option<Box<[u32]>> = weights
            .into_iter()
            .map(|weight| {
                sum = sum.checked_add(weight)?;
                Some(sum)
            })
            .collect();
        let ends = ends?;
        (sum > 0).then_some(Self { ends })
    }

    /// The place of the cluster for a number that was drawn from `0..self.sum()`.
    pub(crate) fn place(&self, drawn: u32) -> usize {
        self.ends.partition_point(|end| *end <= drawn)
    }

    /// The sum of the weights, above zero.
    pub(crate) fn sum(&self) -> u32 {
        self.ends.last().copied().unwrap_or(1)
    }

    /// The weight of each.
    pub(crate) fn shares(&self) -> impl Iterator<Item = u32> {
        let begins = std::iter::once(&0).chain(&self.ends);
        self.ends.iter().zip(begins).map(|(end, begin)| end - begin)
    }

    /// Draws a cluster.
    pub(crate) fn draw(&self) -> usize {
        self.place(fastrand::u32(0..self.sum()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_gets_exactly_its_part(weights in proptest::collection::vec(0_u32..50, 1..8)) {
            let sum: u32 = weights.iter().sum();
            let split = Split::new(weights.iter().copied());
            prop_assert_eq!(split.is_none(), sum == 0);
            if let Some(split) = split {
                let mut counts = vec![0; weights.len()];
                for drawn in 0..split.sum() {
                    counts[split.place(drawn)] += 1;
                }
                prop_assert_eq!(&counts, &weights);
                prop_assert!(split.shares().eq(weights.iter().copied()));
            }
        }
    }

    #[test]
    fn weights_that_do_not_fit_are_none() {
        assert_eq!(Split::new([u32::MAX, 1]), None);
        assert_eq!(Split::new([]), None);
        assert_eq!(Split::new([0, 0]), None);
    }
}
