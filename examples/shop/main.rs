//! The shop: gateway, registry, user, order, payment and inventory, each a process with its own database.

mod context;
mod db;
mod inventory;
mod order;
mod payment;
#[cfg(test)]
mod testing;
mod user;

fn main() {}
