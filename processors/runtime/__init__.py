"""What every processor needs of Kafka and Faust: ordered lanes, watched consumers, outputs in batches."""
