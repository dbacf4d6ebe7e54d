// A depot and its billing in one process. PORT: of its gRPC server. KAFKA, POSTGRES: servers to use instead of those in the process, which
// keep their data in the directory DATA.
import { ServiceBroker } from "moleculer";
import { billing } from "./billing/billing.ts";
import { depot } from "./depot/depot.ts";

const broker = new ServiceBroker({ nodeID: "depot-1", logLevel: "warn" });
broker.createService(billing);
broker.createService(depot(Number(process.env.PORT)));
await broker.start();
console.log("ready");
