export { type Cassandra, type CassandraOptions, cassandra, openCassandra } from "../cassandra.ts";
