// Starts a node. It handles signals before it loads anything else: a stop must end the process with 0 from the first moment on.
import { printHelpIfAsked } from "./help.ts";
import { stopOnSignals } from "./stop.ts";

printHelpIfAsked(`Starts Plaza, and stops it on Ctrl-C.

    npm start              the whole system in one process, its data in DATA_DIR (./data)
    npm run repl           the same with Moleculer's REPL; joins the system that already runs on DATA_DIR

Environment variables configure it; README.md names the important ones, runtime/variables.ts has all of them with their valid values.
    PROFILE=cluster        uses Kafka, Cassandra, Postgres and Redis; SERVICES=wallet,orders runs only these services`);

stopOnSignals();
await import("./node.ts");
