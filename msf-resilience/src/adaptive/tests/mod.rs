mod handle;
mod properties;
mod simulations;
