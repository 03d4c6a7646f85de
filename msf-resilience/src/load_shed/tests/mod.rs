mod controller;
mod handle;
