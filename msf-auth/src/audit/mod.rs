//! Who did what, for people and for alarms.
