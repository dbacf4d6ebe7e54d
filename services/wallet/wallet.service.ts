import { redis as withRedis } from "../../mixins/redis.ts";
import { config } from "../../runtime/config.ts";
import { connections, embedded, outboxOf, redis, runsService, topicLog, withTopics } from "../../runtime/drivers.ts";
import { exitWithError } from "../../runtime/exit-with-error.ts";
import { peerOf, trustedProxies } from "../../runtime/http/client-address.ts";
import { purchaseOutbox } from "../purchase/purchase.contract.ts";
import { backfill } from "./wallet.backfill.ts";
import { walletOverGrpc } from "./wallet.grpc.ts";
import { memoryBalances } from "./wallet.store.memory.ts";
import { redisBalances } from "./wallet.store.redis.ts";
import { wallet } from "./wallet.ts";

const isTrusted = trustedProxies(config.trustedProxies);

const withGrpc = () =>
	walletOverGrpc({
		host: config.host,
		port: config.grpcPort,
		token: config.grpcToken,
		tls: { cert: config.grpcTlsCert, key: config.grpcTlsKey },
		reflection: config.grpcReflection,
		// Counted together with those of the process's other listeners.
		maxConnectionsPerAddress: 0,
		acceptConnection: connection => connections().accept(connection) === undefined,
		addressOf: connection => {
			const { address, isProxy } = peerOf(connection, isTrusted);
			return isProxy ? undefined : address;
		},
		onFatal: exitWithError,
		listens: runsService("wallet")
	});

const outbox = outboxOf("purchase", purchaseOutbox);

const onRedis = () => {
	const store = redisBalances(redis(), () => topicLog().committed("wallet", "user_purchase"));
	const withBackfill = runsService("wallet")
		? [backfill(store, { redis: redis(), log: topicLog(), topic: "user_purchase" })]
		: [];
	// Not required: without Redis, balances come from Postgres.
	return wallet(store, outbox, [withGrpc(), ...withBackfill, withTopics(), withRedis(redis(), { required: false })]);
};

export default embedded ? wallet(memoryBalances(), outbox, [withGrpc(), withTopics()]) : onRedis();
