//! Logins: what people type, in whatever field, and what their devices are given.

use std::net::IpAddr;

use msf_auth::{
    PasswordConfig, Passwords,
    audit::Audit,
    login::{Attempt, LoginLimiter, LoginLimits, Logins},
};
use msf_core::{config::Secret, metrics::Metrics, problem::Problem};

use super::{OTHER_PASSWORD, PASSWORD, printed::Printed};

const DEVICE_KEY: &[u8; 32] = b"Tg5PzWq9LxVb2RmYc7KdHn4SfJ8EuA3t";

pub(super) async fn logins(printed: &mut Printed, metrics: &Metrics, audit: &Audit) {
    printed.secret("the key of devices", DEVICE_KEY);
    let limits = LoginLimits {
        network_burst: 30,
        ..LoginLimits::default()
    };
    let builder = LoginLimiter::builder()
        .limits(limits)
        .device_key(Secret::new(*DEVICE_KEY))
        .audit(audit.clone())
        .metrics(metrics);
    printed.debug("builder", &builder);
    let limiter = builder.build().unwrap();
    let config = PasswordConfig {
        memory_kib: 8,
        iterations: 1,
        ..PasswordConfig::default()
    };
    let passwords = Passwords::new(config).unwrap();
    let logins = Logins::new(passwords, limiter.clone());
    let secret = |text: &str| Secret::new(text.to_owned());
    let stored = logins.passwords().hash(secret(PASSWORD)).await.unwrap();

    let address: IpAddr = [192, 0, 2, 7].into();
    let ada = Attempt::new("ada").subject("7").address(address);
    let done = logins
        .log_in(ada, secret(PASSWORD), Some(stored.clone()))
        .await
        .unwrap();
    printed.debug("logged in", &done);
    let device = done.device.unwrap().into_exposed();
    printed.secret("what a device was given", &device);
    let made_up = format!("{}A", &device[..device.len() - 1]);
    printed.secret("what nobody was given", &made_up);

    // The password where the name belongs, for an account that there is and for none.
    for attempt in [
        ada,
        ada.device(&device),
        ada.device(&made_up),
        ada.device(PASSWORD),
        Attempt::new(PASSWORD).subject("7").address(address),
        Attempt::new(OTHER_PASSWORD).address(address),
        Attempt::new(&device).device(&device),
    ] {
        printed.debug("attempt", &attempt);
        if let Ok(admission) = limiter.admit(attempt) {
            printed.debug("admission", &admission);
            admission.withdrawn();
        }
        // Until the account, and then the network, is limited.
        for _ in 0..12 {
            let outcome = logins.log_in(attempt, secret(OTHER_PASSWORD), Some(stored.clone()));
            if let Err(error) = outcome.await {
                printed.error("login", &error);
                printed.debug("problem", &Problem::from(error));
            }
        }
        if let Err(limited) = limiter.admit(attempt) {
            printed.error("limited", &limited);
        }
    }
    printed.debug("logins", &logins);
}
