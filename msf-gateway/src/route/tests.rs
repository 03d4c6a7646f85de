//! The route table against a search that looks at every route.
