//! What is guessed first, without a list of it.

use super::Blocklist;

/// Passwords that are guessed first: a few common words, names, dates, runs of the keyboard and repetitions, in any
/// combination and with the usual letters replaced by digits and signs.
///
/// It counts the pieces that a password is made of, each as long as it can be: a common word, a run such as `12345`
/// or `qwertz`, a repetition, a number of up to four digits; any other character is a piece by itself. A password of less
/// than five pieces is common. That takes no file, and catches what no list can hold; a
/// [list](super::FileBlocklist) of what was stolen elsewhere is a good addition.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct CommonPasswords;

impl Blocklist for CommonPasswords {
    fn contains(&self, password: &str) -> bool {
        let chars: Vec<char> = password.chars().take(CHARS_MAX).collect();
        pieces(&chars) < PIECES_MIN || repeats_a_short_part(&chars)
    }
}

/// The least number of pieces that cover the text.
fn pieces(chars: &[char]) -> usize {
    let letters = [spelled(chars, 'i'), spelled(chars, 'l')];
    // `least[at]` covers the first `at` characters.
    let mut least = vec![usize::MAX; chars.len() + 1];
    least[0] = 0;
    for at in 0..chars.len() {
        let next = least[at] + 1;
        let mut reach = |length: usize| {
            let end = &mut least[at + length];
            *end = next.min(*end);
        };
        reach(1);
        (2..=run(&chars[at..])).for_each(&mut reach);
        (2..=repetition(&chars[at..])).for_each(&mut reach);
        (2..=number(&chars[at..])).for_each(&mut reach);
        for letters in &letters {
            words(&letters[at..]).for_each(&mut reach);
        }
    }
    least[chars.len()]
}

/// With the letters that digits and signs stand for.
fn spelled(chars: &[char], one: char) -> Vec<char> {
    let letter = |c: &char| match c {
        '@' | '4' => 'a',
        '8' => 'b',
        '3' => 'e',
        '1' | '!' | '|' => one,
        '0' => 'o',
        '$' | '5' => 's',
        '7' | '+' => 't',
        '2' => 'z',
        other => *other,
    };
    chars.iter().map(letter).collect()
}

/// The lengths of the words that the text begins with.
fn words(text: &[char]) -> impl Iterator<Item = usize> {
    WORDS.iter().filter_map(|word| {
        let mut length = 0;
        for letter in word.chars() {
            if text.get(length) != Some(&letter) {
                return None;
            }
            length += 1;
        }
        Some(length)
    })
}

/// The length of a run at the beginning: neighbours in the alphabet or on a keyboard, in either direction.
fn run(text: &[char]) -> usize {
    let length = |row: &str, step: isize| {
        let row: Vec<char> = row.chars().collect();
        let starts = row
            .iter()
            .enumerate()
            .filter(|(_, c)| text.first() == Some(c));
        let lengths = starts.map(|(start, _)| {
            let mut at = start;
            let mut length = 1;
            while let Some(next) = at.checked_add_signed(step)
                && row.get(next).is_some()
                && row.get(next) == text.get(length)
            {
                at = next;
                length += 1;
            }
            length
        });
        lengths.max().unwrap_or(0)
    };
    let lengths = ROWS
        .iter()
        .flat_map(|row| [length(row, 1), length(row, -1)]);
    // Two neighbours are in many words.
    lengths.filter(|length| *length >= 3).max().unwrap_or(0)
}

/// The length of the repetition of one or two characters at the beginning.
fn repetition(text: &[char]) -> usize {
    let of = |part: usize| {
        let same = |at: &usize| text.get(*at).is_some() && text.get(*at) == text.get(*at - part);
        part + (part..).take_while(same).count()
    };
    let longest = of(1).max(of(2));
    if longest >= 3 {
        longest.min(text.len())
    } else {
        0
    }
}

/// The length of a number at the beginning, up to that of a year.
fn number(text: &[char]) -> usize {
    text.iter()
        .take(4)
        .take_while(|c| c.is_ascii_digit())
        .count()
}

/// Whether the whole is one part of less than eight characters, again and again.
fn repeats_a_short_part(chars: &[char]) -> bool {
    (1..8).any(|part| chars.len() > part && chars.iter().zip(&chars[part..]).all(|(a, b)| a == b))
}

const PIECES_MIN: usize = 5;
/// What comes after does not make the beginning worse, and the work is bounded.
const CHARS_MAX: usize = 64;

const ROWS: &[&str] = &[
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "qwertyuiop",
    "qwertzuiop",
    "azertyuiop",
    "asdfghjkl",
    "qsdfghjklm",
    "zxcvbnm",
    "yxcvbnm",
    "wxcvbn",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
    "1q2w3e4r5t6y7u8i9o0p",
    "!@#$%^&*()",
];

/// Words that many choose, whatever they protect: for a password, for a person, for a thing one likes, for a time.
const WORDS: &[&str] = &[
    "abril",
    "access",
    "account",
    "admin",
    "administrator",
    "adobe",
    "alexander",
    "amanda",
    "amor",
    "andrea",
    "andrew",
    "angel",
    "anna",
    "anthony",
    "april",
    "arsenal",
    "ashley",
    "august",
    "autumn",
    "azerty",
    "baby",
    "banana",
    "barcelona",
    "baseball",
    "basketball",
    "batman",
    "beautiful",
    "benfica",
    "biteme",
    "black",
    "blue",
    "bonjour",
    "buster",
    "butterfly",
    "camaro",
    "change",
    "changeme",
    "charlie",
    "cheese",
    "chelsea",
    "chocolate",
    "christian",
    "company",
    "computer",
    "cookie",
    "corvette",
    "daniel",
    "david",
    "december",
    "default",
    "demo",
    "diamond",
    "donald",
    "dragon",
    "eminem",
    "exodus",
    "facebook",
    "family",
    "february",
    "ferrari",
    "flower",
    "football",
    "forever",
    "freedom",
    "friday",
    "friend",
    "friends",
    "fuckyou",
    "george",
    "ginger",
    "god",
    "golf",
    "google",
    "green",
    "guest",
    "hallo",
    "hannah",
    "happy",
    "harley",
    "hello",
    "hockey",
    "hola",
    "home",
    "hottie",
    "hunter",
    "iloveyou",
    "internet",
    "jackson",
    "january",
    "jasmine",
    "jennifer",
    "jessica",
    "jesus",
    "john",
    "jordan",
    "joshua",
    "july",
    "june",
    "justin",
    "killer",
    "king",
    "kitty",
    "klaster",
    "letmein",
    "linkedin",
    "liverpool",
    "login",
    "lol",
    "london",
    "love",
    "lovely",
    "loveme",
    "lover",
    "maggie",
    "manager",
    "march",
    "maria",
    "marina",
    "martin",
    "master",
    "matrix",
    "matthew",
    "mercedes",
    "merlin",
    "michael",
    "michelle",
    "mickey",
    "monday",
    "money",
    "monkey",
    "mother",
    "motdepasse",
    "mustang",
    "mynoob",
    "naruto",
    "nicole",
    "nintendo",
    "ninja",
    "november",
    "october",
    "oracle",
    "orange",
    "pass",
    "passw",
    "passwd",
    "passwort",
    "password",
    "patrick",
    "peanut",
    "pepper",
    "peter",
    "phoenix",
    "player",
    "please",
    "pokemon",
    "princess",
    "private",
    "purple",
    "qazwsx",
    "querty",
    "qwerty",
    "qwertz",
    "rainbow",
    "ranger",
    "red",
    "robert",
    "root",
    "samsung",
    "samantha",
    "saturday",
    "schatz",
    "secret",
    "secure",
    "senha",
    "september",
    "server",
    "service",
    "shadow",
    "silver",
    "slipknot",
    "snoopy",
    "soccer",
    "solo",
    "sommer",
    "spider",
    "spring",
    "starwars",
    "steelers",
    "summer",
    "sunday",
    "sunshine",
    "super",
    "superman",
    "superstar",
    "support",
    "system",
    "taylor",
    "temp",
    "tequiero",
    "test",
    "tester",
    "testing",
    "the",
    "thomas",
    "thunder",
    "thursday",
    "tigger",
    "tinkerbell",
    "toor",
    "trustno",
    "tuesday",
    "user",
    "vanessa",
    "warrior",
    "wednesday",
    "welcome",
    "whatever",
    "william",
    "willkommen",
    "winner",
    "winter",
    "yankees",
    "yellow",
    "you",
    "my",
    "is",
    "i",
    "and",
    "for",
    "new",
    "old",
    "one",
    "two",
    "hunter2",
    "contrasena",
    "parola",
    "haslo",
    "wachtwoord",
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_everybody_guesses_is_common() {
        for text in [
            "12345678",
            "123456789012345",
            "0987654321",
            "qwertyuiop",
            "qwertyuiop12345",
            "poiuytrewq!",
            "1q2w3e4r5t6y",
            "aaaaaaaaaaaaaaa",
            "abababababababab",
            "abc123abc123abc123",
            "password",
            "p@ssw0rd",
            "p4$$w0rd2024!",
            "passwordpassword",
            "letmein123456!!!",
            "welc0me2024!",
            "iloveyou19991231",
            "summer2024!!",
            "admin@admin1234",
        ] {
            assert!(CommonPasswords.contains(text), "{text}");
        }
    }

    #[test]
    fn a_sentence_of_ones_own_is_not() {
        for text in [
            "three grey owls on a wire",
            "correct horse battery staple",
            "lovelace-1815",
            "vögelflug im sturm",
            "k7$Qm2xv",
            "мой дядя самых честных правил",
        ] {
            let folded = super::super::normal::folded(text);
            assert!(!CommonPasswords.contains(&folded), "{text}");
        }
    }

    #[test]
    fn a_long_one_takes_no_longer() {
        let long = "ab1!".repeat(256);
        assert!(CommonPasswords.contains(&long));
        assert!(!CommonPasswords.contains(&format!("three grey owls on a wire{long}")));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,80}") {
            CommonPasswords.contains(&text);
        }

        #[test]
        fn more_than_a_common_one_is_no_less_pieces(text in "[a-z0-9!]{1,20}", more in "[a-z0-9!]{0,8}") {
            let chars: Vec<char> = text.chars().collect();
            let longer: Vec<char> = text.chars().chain(more.chars()).collect();
            // What is added may end in a longer piece, and cannot take more than that one away.
            prop_assert!(pieces(&longer) + 1 >= pieces(&chars));
        }
    }
}
