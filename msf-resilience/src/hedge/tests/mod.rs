mod latencies;
mod rules;
