mod http;
mod rules;
mod stress;
