//! One row of the table.

use super::{Got, shown};

/// What is sent, and what must be seen.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) id: &'static str,
    pub(crate) rfc: &'static str,
    pub(super) protocol: Protocol,
    pub(super) sends: Vec<u8>,
    pub(super) half_close: bool,
    /// What the service answers with, and whether it closes then.
    pub(super) service: (Vec<u8>, bool),
    /// Whether the service speaks HTTP/2, and answers in frames.
    pub(super) service_speaks_http2: bool,
    /// Any of these: the status and, if it is the service's, the body; `~` after one that broke off.
    pub(super) answers: Vec<Vec<&'static str>>,
    pub(super) end: End,
    /// What reaches the service; without it nothing may.
    forwards: Vec<&'static str>,
    may_break_off: bool,
    service_sees: Vec<&'static str>,
    service_never_sees: Vec<&'static str>,
    client_sees: Vec<&'static str>,
    client_never_sees: Vec<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

/// What becomes of the client's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Closed,
    /// It takes the next request.
    Open,
    /// Either is right.
    Either,
}

impl Row {
    pub(super) fn new(id: &'static str, rfc: &'static str, sends: impl Into<Vec<u8>>) -> Self {
        Self {
            id,
            rfc,
            protocol: Protocol::Http1,
            sends: sends.into(),
            half_close: false,
            service: (
                b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_vec(),
                false,
            ),
            service_speaks_http2: false,
            answers: Vec::new(),
            end: End::Either,
            forwards: Vec::new(),
            may_break_off: false,
            service_sees: Vec::new(),
            service_never_sees: Vec::new(),
            client_sees: Vec::new(),
            client_never_sees: Vec::new(),
        }
    }

    /// A service that answers so to an honest request.
    pub(super) fn of_service(
        id: &'static str,
        rfc: &'static str,
        answer: impl Into<Vec<u8>>,
    ) -> Self {
        let honest = &b"GET / HTTP/1.1\r\nhost: shop.example\r\n\r\n"[..];
        let mut row = Self::new(id, rfc, honest).forwards(&["GET /"]);
        row.service = (answer.into(), false);
        row
    }

    /// A service of HTTP/2 that answers its first request with these frames, and all others honestly.
    pub(super) fn of_http2_service(
        id: &'static str,
        rfc: &'static str,
        frames: impl Into<Vec<u8>>,
    ) -> Self {
        let mut row = Self::of_service(id, rfc, frames).forwards(&[]);
        row.service_speaks_http2 = true;
        row
    }

    pub(super) fn over_http2(mut self) -> Self {
        self.protocol = Protocol::Http2;
        self
    }

    pub(super) fn sending(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.sends = bytes.into();
        self
    }

    /// The client closes its half.
    pub(super) fn half_closed(mut self) -> Self {
        self.half_close = true;
        self
    }

    /// The service answers so.
    pub(super) fn served(mut self, answer: &str) -> Self {
        self.service.0 = answer.into();
        self
    }

    /// The service closes after its answer.
    pub(super) fn service_closes(mut self) -> Self {
        self.service.1 = true;
        self
    }

    /// One answer of the gateway, and the end: nothing that follows is read as a request.
    pub(super) fn refused(self, status: &'static str) -> Self {
        self.answers(&[status]).end(End::Closed)
    }

    /// The service gets this, and answers.
    pub(super) fn passes(self, request: &'static str) -> Self {
        self.answers(&["200 ok"])
            .forwards_one(request)
            .end(End::Open)
    }

    /// The body is none that has an end: the client hears so, and no service takes it for a whole one.
    pub(super) fn breaks(self) -> Self {
        let row = self.answers(&["400"]).answers(&["408"]);
        row.may_break_off().end(End::Closed)
    }

    pub(super) fn answers(mut self, answers: &[&'static str]) -> Self {
        self.answers.push(answers.to_vec());
        self
    }

    pub(super) fn forwards(mut self, requests: &[&'static str]) -> Self {
        self.forwards = requests.to_vec();
        self
    }

    fn forwards_one(self, request: &'static str) -> Self {
        self.forwards(&[request])
    }

    /// Of what was begun, the service may see a part, which is no whole request to it.
    pub(super) const fn may_break_off(mut self) -> Self {
        self.may_break_off = true;
        self
    }

    pub(super) const fn end(mut self, end: End) -> Self {
        self.end = end;
        self
    }

    /// In small letters.
    pub(super) fn service_sees(mut self, texts: &[&'static str]) -> Self {
        self.service_sees.extend(texts);
        self
    }

    pub(super) fn service_never_sees(mut self, texts: &[&'static str]) -> Self {
        self.service_never_sees.extend(texts);
        self
    }

    pub(super) fn client_sees(mut self, texts: &[&'static str]) -> Self {
        self.client_sees.extend(texts);
        self
    }

    pub(super) fn client_never_sees(mut self, texts: &[&'static str]) -> Self {
        self.client_never_sees.extend(texts);
        self
    }

    pub(super) fn expected(&self) -> String {
        let any: Vec<String> = self.answers.iter().map(|it| it.join(" + ")).collect();
        let forwards = match &*self.forwards {
            [] => "nothing".to_owned(),
            all => all.join(" + "),
        };
        format!("{}, {:?}; service: {forwards}", any.join(" or "), self.end)
    }

    pub(super) fn differences(&self, got: &Got, seen: &Seen) -> Vec<String> {
        let mut wrong = Vec::new();
        let answers: Vec<&str> = got.answers.iter().map(String::as_str).collect();
        if !self.answers.contains(&answers) {
            wrong.push(format!("answers: {}", answers.join(" + ")));
        }
        if self.end != End::Either && got.end != Some(self.end) {
            wrong.push(format!("end: {:?}", got.end));
        }
        let whole: Vec<&str> = seen.requests.iter().map(String::as_str).collect();
        let is_right = if self.may_break_off {
            whole.iter().all(|it| it.ends_with('~'))
        } else {
            whole == self.forwards
        };
        if !is_right {
            wrong.push(format!("service: {}", whole.join(" + ")));
        }
        let sides = [
            (&seen.heads, &self.service_sees, &self.service_never_sees),
            (&got.heads, &self.client_sees, &self.client_never_sees),
        ];
        for (heads, wanted, unwanted) in sides {
            for text in wanted {
                if !heads.contains(text) {
                    wrong.push(format!("no {text:?} in {}", shown(heads.as_bytes())));
                }
            }
            for text in unwanted {
                if heads.contains(text) {
                    wrong.push(format!("{text:?} in {}", shown(heads.as_bytes())));
                }
            }
        }
        wrong
    }
}

/// What a service has seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// Method, target and body; `~` after one that broke off, and what a strict reader does not take.
    pub(super) requests: Vec<String>,
    /// All heads and trailers, in small letters.
    pub(super) heads: String,
}
