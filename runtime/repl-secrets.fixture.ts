// A process with a REPL and one action, for repl-secrets.test.ts.
import { ServiceBroker } from "moleculer";
import { replSecrets } from "./repl-secrets.ts";

const broker = new ServiceBroker({ logger: false, middlewares: [replSecrets] });
broker.createService({ name: "users", actions: { create: () => ({ created: true }), find: () => ({ found: true }) } });
await broker.start();
broker.repl();
