//! A strict reader of both kinds of messages.

use tokio::net::tcp::OwnedReadHalf;

use super::{read_some, shown};

/// Reads the answers that a client gets.
pub(super) struct Reader {
    read: OwnedReadHalf,
    bytes: Vec<u8>,
}

/// An answer.
pub(super) struct Answer {
    pub(super) head: String,
    pub(super) summary: String,
}

/// Where a message ends, and what of it is the body.
pub(super) enum Framed {
    /// More bytes are needed; this is what there is of the body.
    Partial(Vec<u8>),
    Whole {
        body: Vec<u8>,
        trailers: String,
        len: usize,
    },
    Malformed(String),
}

impl Reader {
    pub(super) const fn new(read: OwnedReadHalf) -> Self {
        Self {
            read,
            bytes: Vec::new(),
        }
    }

    /// The next answer; `None` once the connection has ended.
    pub(super) async fn answer(&mut self, is_head: bool) -> Option<Answer> {
        let mut has_ended = false;
        loop {
            if let Some(answer) = self.parsed(is_head, has_ended) {
                return Some(answer);
            }
            if has_ended {
                return None;
            }
            has_ended = !read_some(&mut self.read, &mut self.bytes).await;
        }
    }

    fn parsed(&mut self, is_head: bool, has_ended: bool) -> Option<Answer> {
        let Some(head_len) = head_len(&self.bytes) else {
            if has_ended && !self.bytes.is_empty() {
                let summary = format!("cut head {}", shown(&std::mem::take(&mut self.bytes)));
                return Some(Answer {
                    head: String::new(),
                    summary,
                });
            }
            return None;
        };
        let head = String::from_utf8_lossy(&self.bytes[..head_len]).to_ascii_lowercase();
        let fields = match fields(&self.bytes[..head_len]) {
            Ok(fields) => fields,
            Err(what) => return Some(self.malformed(head, &what)),
        };
        let status: String = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let rest = &self.bytes[head_len..];
        let is_own = head.contains("application/problem+json");
        let none = is_head || status.starts_with('1') || status == "204" || status == "304";
        let framed = if none {
            Framed::Whole {
                body: Vec::new(),
                trailers: String::new(),
                len: 0,
            }
        } else if fields
            .iter()
            .any(|(name, _)| matches!(name.as_str(), "content-length" | "transfer-encoding"))
        {
            framed(&fields, rest)
        } else if has_ended {
            Framed::Whole {
                body: rest.to_vec(),
                trailers: String::new(),
                len: rest.len(),
            }
        } else {
            Framed::Partial(Vec::new())
        };
        let (body, len, mark) = match framed {
            Framed::Partial(body) if has_ended => (body, rest.len(), "~"),
            Framed::Partial(_) => return None,
            Framed::Whole { body, len, .. } => (body, len, ""),
            Framed::Malformed(what) => return Some(self.malformed(head, &what)),
        };
        let summary = if is_own || body.is_empty() {
            format!("{status}{mark}")
        } else {
            format!("{status} {}{mark}", shown(&body))
        };
        self.bytes.drain(..head_len + len);
        Some(Answer { head, summary })
    }

    fn malformed(&mut self, head: String, what: &str) -> Answer {
        self.bytes.clear();
        let summary = format!("malformed: {what}");
        Answer { head, summary }
    }
}

/// The length of a head with the empty line behind it.
pub(super) fn head_len(bytes: &[u8]) -> Option<usize> {
    let at = bytes.windows(4).position(|it| it == b"\r\n\r\n")?;
    Some(at + 4)
}

/// The fields of a head, with small names.
pub(super) fn fields(head: &[u8]) -> Result<Vec<(String, String)>, String> {
    let text = std::str::from_utf8(head).map_err(|_| "not text".to_owned())?;
    let text = text.strip_suffix("\r\n\r\n").ok_or("no end")?;
    let mut fields = Vec::new();
    for line in text.split("\r\n") {
        if line
            .bytes()
            .any(|byte| byte < b' ' && byte != b'\t' || byte == 0x7f)
        {
            return Err(format!("control in {line:?}"));
        }
    }
    for line in text.split("\r\n").skip(1) {
        let (name, value) = line.split_once(':').ok_or("no colon")?;
        let is_token =
            |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(format!("name {name:?}"));
        }
        fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    Ok(fields)
}

/// The body behind a head with these fields, as the strictest reader takes it (RFC 9112 section 6.3).
pub(super) fn framed(fields: &[(String, String)], rest: &[u8]) -> Framed {
    let of = |wanted: &str| -> Vec<&str> {
        let all = fields.iter().filter(|(name, _)| name == wanted);
        all.map(|(_, value)| value.as_str()).collect()
    };
    let (lengths, codings) = (of("content-length"), of("transfer-encoding"));
    match (&*lengths, &*codings) {
        ([], []) => Framed::Whole {
            body: Vec::new(),
            trailers: String::new(),
            len: 0,
        },
        ([length], []) => {
            let is_plain = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
            match length.parse::<usize>() {
                Ok(len) if is_plain && rest.len() >= len => Framed::Whole {
                    body: rest[..len].to_vec(),
                    trailers: String::new(),
                    len,
                },
                Ok(_) if is_plain => Framed::Partial(rest.to_vec()),
                _ => Framed::Malformed(format!("length {length:?}")),
            }
        }
        ([], ["chunked"]) => chunks(rest),
        _ => Framed::Malformed(format!("lengths {lengths:?}, codings {codings:?}")),
    }
}

fn chunks(bytes: &[u8]) -> Framed {
    let mut body = Vec::new();
    let mut at = 0;
    let line = |at: usize| {
        let end = bytes[at..].windows(2).position(|it| it == b"\r\n")?;
        Some(&bytes[at..at + end])
    };
    loop {
        let Some(size) = line(at) else {
            return Framed::Partial(body);
        };
        let text = String::from_utf8_lossy(size);
        let is_hex = !size.is_empty() && size.iter().all(u8::is_ascii_hexdigit);
        let Some(len) = usize::from_str_radix(&text, 16).ok().filter(|_| is_hex) else {
            return Framed::Malformed(format!("chunk size {text:?}"));
        };
        at += size.len() + 2;
        if len == 0 {
            break;
        }
        let Some(data) = bytes.get(at..at + len) else {
            return Framed::Partial(body);
        };
        body.extend_from_slice(data);
        at += len;
        match bytes.get(at..at + 2) {
            None => return Framed::Partial(body),
            Some(b"\r\n") => at += 2,
            Some(other) => return Framed::Malformed(format!("behind a chunk {other:?}")),
        }
    }
    let mut trailers = String::new();
    loop {
        let Some(field) = line(at) else {
            return Framed::Partial(body);
        };
        at += field.len() + 2;
        if field.is_empty() {
            break;
        }
        trailers += &String::from_utf8_lossy(field).to_ascii_lowercase();
        trailers += "\r\n";
    }
    Framed::Whole {
        body,
        trailers,
        len: at,
    }
}
