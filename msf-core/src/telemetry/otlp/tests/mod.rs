//! Tests of the exporter: what a span becomes, and what a collector can do to us.

mod collector;
mod spans;
