//! Did you mean: the nearest known name, and only if it is near.

/// The candidate that `wanted` was most likely meant to be.
pub(super) fn nearest<'a>(
    wanted: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    if wanted.len() > MAX_COMPARED {
        return None;
    }
    let wanted = fold(wanted);
    candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= MAX_COMPARED)
        .filter_map(|candidate| {
            let folded = fold(candidate);
            let distance = strsim::damerau_levenshtein(&wanted, &folded);
            // One slip in three characters is a typo; more is another word.
            let allowed = wanted
                .chars()
                .count()
                .min(folded.chars().count())
                .div_ceil(3);
            (distance <= allowed && distance < wanted.len()).then_some((distance, candidate))
        })
        .min()
        .map(|(_, candidate)| candidate)
}

/// A name without the marks that spellings differ in: `headerTimeout`, `header-timeout` and
/// `HEADER_TIMEOUT` are one name.
pub(super) fn fold(name: &str) -> String {
    name.chars()
        .filter(|c| !matches!(c, '_' | '-'))
        .flat_map(char::to_lowercase)
        .collect()
}

/// The distance costs the product of both lengths, so a longer name is not compared at all.
const MAX_COMPARED: usize = 64;

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_typo_finds_its_word_and_another_word_does_not() {
        let known = ["bind", "header_timeout", "limits"];
        assert_eq!(nearest("bnid", known), Some("bind"));
        assert_eq!(nearest("HeaderTimeot", known), Some("header_timeout"));
        assert_eq!(nearest("limit", known), Some("limits"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(nearest(&"x".repeat(1 << 20), known), None);
    }
}
