"""Key points of pictures and videos: extracted with an estimator, cached, viewed."""
