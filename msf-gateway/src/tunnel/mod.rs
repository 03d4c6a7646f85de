//! Connections that leave HTTP: WebSockets, and whatever else a route lets a service switch to.
