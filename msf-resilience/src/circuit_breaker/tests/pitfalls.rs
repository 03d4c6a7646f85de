//! Known faults of other breakers, each as the fact that it is not one of this one.
