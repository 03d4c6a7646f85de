//! Published rings.
