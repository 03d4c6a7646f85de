//! Which name is asked for which service.

use hickory_resolver::proto::rr::Name;
use msf_core::name::ServiceName;

/// What is asked for a service: a template in which `{service}` stands for its name.
///
/// The name is asked for as it is; search domains are not tried, because a name that is not found in one
/// of them would be taken for a service without instances.
///
/// ```
/// use msf_registry::backend::dns::Query;
///
/// let srv = Query::srv("_http._tcp.{service}.prod.example.com");
/// let headless = Query::addresses("{service}.prod.svc.cluster.local", 8080);
/// # let _ = (srv, headless);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    template: String,
    pub(super) records: Records,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Records {
    Srv,
    Addresses { port: u16 },
}

impl Query {
    /// SRV records: they name host, port, priority and weight of each instance.
    pub fn srv(template: impl Into<String>) -> Self {
        Self {
            template: template.into(),
            records: Records::Srv,
        }
    }

    /// A and AAAA records: each address is an instance that listens on this port.
    pub fn addresses(template: impl Into<String>, port: u16) -> Self {
        Self {
            template: template.into(),
            records: Records::Addresses { port },
        }
    }

    pub(super) fn template(&self) -> &str {
        &self.template
    }

    pub(super) fn has_placeholder(&self) -> bool {
        self.template.contains(PLACEHOLDER)
    }

    /// The name that is asked for, from the root.
    pub(super) fn name(&self, service: &ServiceName) -> Result<Name, String> {
        let text = self.template.replace(PLACEHOLDER, service.as_str());
        if text.is_empty() || text.contains(['{', '}']) {
            return Err("it is empty, or has braces that are not {service}".into());
        }
        let mut name = Name::from_ascii(&text).map_err(|error| error.to_string())?;
        name.set_fqdn(true);
        Ok(name)
    }
}

const PLACEHOLDER: &str = "{service}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_the_template_with_the_service_from_the_root() {
        let service = ServiceName::new("payment").unwrap();
        for template in [
            "_http._tcp.{service}.example",
            "_http._tcp.{service}.example.",
        ] {
            let name = Query::srv(template).name(&service).unwrap();
            assert_eq!(name.to_ascii(), "_http._tcp.payment.example.");
        }
        let long = format!("{{service}}.{}", "x".repeat(64));
        for bad in ["", "{name}.example", "{service}..example", &long] {
            assert!(Query::srv(bad).name(&service).is_err(), "{bad}");
        }
    }
}
