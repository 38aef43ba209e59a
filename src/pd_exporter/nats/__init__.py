"""Reading JetStream: connections that mend themselves, and replies that are right or refused."""
