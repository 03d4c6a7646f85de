//! The shop: gateway, registry, user, order, payment and inventory, each a process with its own database.

fn main() {}
