// Gives a child process of Node.js the message port that a utility process of Electron has.
process.parentPort = {
  on: (event, listener) => process.on(event, (data) => listener({ data })),
  postMessage: (message) => process.send(message),
};
