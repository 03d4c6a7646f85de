//! What fuzz targets and their smoke tests call.
