/** What the operator can set when a server does not answer (`advice`) or refuses the credentials (`access`), for log lines. */
export const advice = {
	postgres: { advice: "start it, or set DATABASE_URL", access: "user, password and sslmode in DATABASE_URL" },
	redis: { advice: "start it, or set REDIS_URL", access: "user and password in REDIS_URL" },
	cassandra: { advice: "start it, or set CASSANDRA_CONTACT_POINTS", access: "CASSANDRA_USERNAME and CASSANDRA_PASSWORD" }
};
