//! The fields of a line.

use std::fmt;

use http::{HeaderValue, Method, Version};

use super::AccessRecord;

macro_rules! fields {
    ($($variant:ident = $name:literal;)+) => {
        /// A field of a line.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Field {
            $($variant,)+
        }

        impl Field {
            /// Every field, in the order of a line of JSON.
            pub(super) const ALL: &[Self] = &[$(Self::$variant),+];

            pub(super) const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

fields! {
    Time = "time";
    RequestId = "request_id";
    Client = "client";
    Method = "method";
    Host = "host";
    Path = "path";
    Protocol = "protocol";
    Route = "route";
    Cluster = "cluster";
    Instance = "instance";
    Status = "status";
    Flag = "flag";
    Failure = "failure";
    EndedBy = "ended_by";
    BytesIn = "bytes_in";
    BytesOut = "bytes_out";
    DurationMs = "duration_ms";
    UpstreamMs = "upstream_ms";
    UserAgent = "user_agent";
}

/// What a record has in a field.
pub(super) enum Value<'a> {
    Absent,
    Number(u64),
    /// Thousandths.
    Thousandths(u128),
    /// Text of the gateway's own, or of a closed alphabet.
    Known(&'a dyn fmt::Display),
    /// What a client sent, cut at so many bytes.
    Foreign(&'a [u8], usize),
}

impl Field {
    /// Hands the value to `write`, since some are made on the way.
    pub(super) fn with<R>(self, record: &AccessRecord, write: impl FnOnce(Value<'_>) -> R) -> R {
        match self {
            Self::Time => {
                let time = humantime::format_rfc3339_millis(record.time);
                write(Value::Known(&time))
            }
            Self::RequestId => write(known(record.request_id.as_ref())),
            Self::Client => write(known(record.client.as_ref())),
            Self::Method => write(text(record.method().map(Method::as_str), TEXT_MAX)),
            Self::Host => write(foreign(record.host.as_ref())),
            Self::Path => write(text(record.path(), PATH_MAX)),
            Self::Protocol => write(known(record.version.map(protocol).as_ref())),
            Self::Route => write(known(record.route().as_ref())),
            Self::Cluster => write(known(record.cluster.as_ref())),
            Self::Instance => write(known(record.instance.as_ref())),
            Self::Status => write(Value::Number(record.status().as_u16().into())),
            Self::Flag => write(known(record.failure.map(|it| it.flag()).as_ref())),
            Self::Failure => write(known(record.failure.map(|it| it.flag().words()).as_ref())),
            Self::EndedBy => write(Value::Known(&record.ended_by().as_str())),
            Self::BytesIn => write(Value::Number(record.bytes_in())),
            Self::BytesOut => write(Value::Number(record.bytes_out)),
            Self::DurationMs => write(Value::Thousandths(record.duration.as_micros())),
            Self::UpstreamMs => write(match record.upstream {
                Some(took) => Value::Thousandths(took.as_micros()),
                None => Value::Absent,
            }),
            Self::UserAgent => write(foreign(record.user_agent.as_ref())),
        }
    }
}

fn known<T: fmt::Display>(value: Option<&T>) -> Value<'_> {
    value.map_or(Value::Absent, |value| Value::Known(value))
}

fn text(value: Option<&str>, max: usize) -> Value<'_> {
    value.map_or(Value::Absent, |value| Value::Foreign(value.as_bytes(), max))
}

fn foreign(value: Option<&HeaderValue>) -> Value<'_> {
    value.map_or(Value::Absent, |value| {
        Value::Foreign(value.as_bytes(), TEXT_MAX)
    })
}

const fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2",
        _ => "HTTP/1.1",
    }
}

const PATH_MAX: usize = 1024;
const TEXT_MAX: usize = 256;
