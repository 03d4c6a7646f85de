//! The order service with the real stores of inventory and payment behind it, in one process.

mod crash;
mod fakes;
mod routes;
