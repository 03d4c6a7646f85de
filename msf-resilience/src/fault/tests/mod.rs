mod faces;
mod shares;
