//! What a request is granted.

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS,
        ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS,
        ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD,
        ORIGIN, VARY,
    },
};

use super::{error::InvalidCors, origin::Origin, settings::Cors};

/// Settings that were checked, and the values that are the same for every request.
#[derive(Clone, Debug)]
pub(crate) struct Checked {
    /// `None` is any origin.
    origins: Option<Box<[Origin]>>,
    methods: HeaderValue,
    allowed_methods: Box<[Method]>,
    /// `None` is any header.
    headers: Option<Box<[HeaderName]>>,
    headers_value: Option<HeaderValue>,
    expose: Option<HeaderValue>,
    has_credentials: bool,
    max_age: HeaderValue,
}

/// What an answer says about CORS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Grant {
    /// `None` where the origin is not allowed, or none was named.
    origin: Option<HeaderValue>,
    /// Whether another origin gets another answer.
    varies: bool,
}

impl Checked {
    /// Checks the settings of a route; `methods` are the route's own, `None` for all.
    pub(crate) fn new(cors: &Cors, methods: Option<&[Method]>) -> Result<Self, InvalidCors> {
        if cors.is_any_origin && cors.has_credentials {
            return Err(InvalidCors::CredentialsForAll);
        }
        if !cors.is_any_origin && cors.origins.is_empty() {
            return Err(InvalidCors::NoOrigins);
        }
        let origins = cors
            .origins
            .iter()
            .map(|text| Origin::parse(text).ok_or_else(|| InvalidCors::Origin(text.clone())))
            .collect::<Result<Box<[_]>, _>>()?;
        let headers = names(&cors.headers)?;
        let expose = names(&cors.expose)?;
        let usual = [
            Method::GET,
            Method::HEAD,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ];
        let methods = cors.methods.as_deref().or(methods).unwrap_or(&usual);
        Ok(Self {
            origins: (!cors.is_any_origin).then_some(origins),
            methods: joined(methods.iter().map(Method::as_str)).unwrap_or(NOTHING),
            allowed_methods: methods.into(),
            headers_value: joined(headers.iter().map(HeaderName::as_str)),
            headers: (!cors.is_any_header).then_some(headers),
            expose: joined(expose.iter().map(HeaderName::as_str)),
            has_credentials: cors.has_credentials,
            max_age: cors.max_age.as_secs().into(),
        })
    }

    /// What the answers to a request say.
    pub(crate) fn grant(&self, headers: &HeaderMap) -> Grant {
        let Some(origins) = &self.origins else {
            return Grant {
                origin: Some(HeaderValue::from_static("*")),
                varies: false,
            };
        };
        Grant {
            origin: only(headers, &ORIGIN)
                .filter(|said| allows(origins, said))
                .cloned(),
            varies: true,
        }
    }

    /// The answer to a preflight.
    pub(crate) fn preflight<B: Default>(&self, headers: &HeaderMap) -> Option<Response<B>> {
        let grant = self.grant(headers);
        if grant.origin.is_none() || !self.allows_method(headers) {
            return None;
        }
        let allowed_headers = match &self.headers {
            // What is asked for is sent back only once it is known to be a list of names.
            None => match headers.get(ACCESS_CONTROL_REQUEST_HEADERS) {
                Some(_) => Some(requested(headers)?),
                None => None,
            },
            Some(_) => self.headers_value.clone(),
        };
        let mut response = Response::new(B::default());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let told = response.headers_mut();
        if grant.varies || self.headers.is_none() {
            told.insert(VARY, PREFLIGHT_VARY);
        }
        if let Some(origin) = grant.origin {
            told.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        }
        told.insert(ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone());
        if let Some(headers) = allowed_headers {
            told.insert(ACCESS_CONTROL_ALLOW_HEADERS, headers);
        }
        if self.has_credentials {
            told.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE);
        }
        told.insert(ACCESS_CONTROL_MAX_AGE, self.max_age.clone());
        Some(response)
    }

    /// Says in an answer what the request was granted; what stands there already is somebody else's opinion.
    pub(crate) fn write(&self, grant: &Grant, headers: &mut HeaderMap) {
        for name in &OPINIONS {
            headers.remove(name);
        }
        if grant.varies && !varies_by_origin(headers) {
            headers.append(VARY, HeaderValue::from_static("origin"));
        }
        let Some(origin) = &grant.origin else { return };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        if self.has_credentials {
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE);
        }
        if let Some(expose) = &self.expose {
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, expose.clone());
        }
    }

    fn allows_method(&self, headers: &HeaderMap) -> bool {
        let asked = only(headers, &ACCESS_CONTROL_REQUEST_METHOD).map(HeaderValue::as_bytes);
        // What any page may send is not asked for, and allowed whenever it is (fetch, CORS-preflight fetch).
        asked.is_some_and(|asked| {
            let simple: [&[u8]; 3] = [b"GET", b"HEAD", b"POST"];
            simple.contains(&asked)
                || self
                    .allowed_methods
                    .iter()
                    .any(|method| method.as_str().as_bytes() == asked)
        })
    }
}

/// Whether a request is a preflight; for `OPTIONS` only.
pub(crate) fn asked_method(headers: &HeaderMap) -> Option<Method> {
    headers.get(ORIGIN)?;
    let asked = only(headers, &ACCESS_CONTROL_REQUEST_METHOD)?;
    Method::from_bytes(asked.as_bytes()).ok()
}

fn allows(origins: &[Origin], said: &HeaderValue) -> bool {
    let Ok(said) = said.to_str() else {
        return false;
    };
    origins.iter().any(|origin| origin.matches(said))
}

fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    values.next().is_none().then_some(first)
}

/// The names that a preflight asks for, if they are names.
fn requested(headers: &HeaderMap) -> Option<HeaderValue> {
    let asked = only(headers, &ACCESS_CONTROL_REQUEST_HEADERS)?;
    let text = asked.to_str().ok()?;
    let is_name = |name: &str| HeaderName::from_bytes(name.trim().as_bytes()).is_ok();
    text.split(',').all(is_name).then(|| asked.clone())
}

fn varies_by_origin(headers: &HeaderMap) -> bool {
    headers
        .get_all(VARY)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .any(|name| matches!(name.trim(), "*") || name.trim().eq_ignore_ascii_case("origin"))
}

fn names(texts: &[String]) -> Result<Box<[HeaderName]>, InvalidCors> {
    texts
        .iter()
        .map(|text| {
            HeaderName::from_bytes(text.as_bytes()).map_err(|_| InvalidCors::Header(text.clone()))
        })
        .collect()
}

fn joined<'a>(names: impl Iterator<Item = &'a str>) -> Option<HeaderValue> {
    let list = names.collect::<Vec<_>>().join(", ");
    (!list.is_empty()).then(|| HeaderValue::try_from(list).ok())?
}

const NOTHING: HeaderValue = HeaderValue::from_static("");
const TRUE: HeaderValue = HeaderValue::from_static("true");
const PREFLIGHT_VARY: HeaderValue = HeaderValue::from_static(
    "origin, access-control-request-method, access-control-request-headers",
);
const OPINIONS: [HeaderName; 6] = [
    ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_ALLOW_CREDENTIALS,
    ACCESS_CONTROL_ALLOW_HEADERS,
    ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_MAX_AGE,
];
