mod http;
mod races;
mod rules;
mod stress;
