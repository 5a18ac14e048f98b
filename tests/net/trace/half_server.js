// half_server.js PORT: echoes, and ends each connection when its client has. With LEAK set every fifth one is paused instead.
'use strict';
const net = require('net');
let served = 0;

function onEnd() {
  served++;
  if (process.env.LEAK && served % 5 === 0) {
    this.pause(); // LINE pause
    return;
  }
  this.end(); // LINE end
}

net.createServer({ allowHalfOpen: true }, (socket) => {
  socket.on('data', (bytes) => socket.write(bytes));
  socket.on('end', onEnd);
}).listen(Number(process.argv[2]), '127.0.0.1');
