//! Whom a node talks to: its coordinator, and the other nodes from when it first has to.

use std::sync::{Arc, Mutex, PoisonError};

use strads_common::auth::Secret;
use strads_common::{channel, socket};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::timeout;

use super::Timing;
use super::join::Greeting;
use super::link::{Outbox, Reader, Writer, attend};
use crate::cluster::message::{Message, Party};
use crate::cluster::node::Addressed;

/// The other processes of a node's job.
pub struct Peers {
    /// Of the job.
    pub greeting: Greeting,
    /// To the coordinator.
    pub coordinator: Outbox,
    /// To the other nodes.
    pub nodes: Mutex<Vec<Option<Outbox>>>,
    /// The job's secret.
    pub secret: Secret,
    /// How soon things are noticed.
    pub timing: Timing,
    /// Where connections live.
    pub runtime: Handle,
}

impl Peers {
    /// Sends a message on its way. One that cannot be delivered ends the job, and that the
    /// coordinator learns from the end of the connection.
    pub fn send(self: &Arc<Self>, (to, message): Addressed) {
        let _ = match to {
            Party::Coordinator => self.coordinator.send(message),
            Party::Node(rank) => match self.node(rank) {
                Some(outbox) => outbox.send(message),
                None => self.say(Message::Stuck(format!("was told to write to node {rank}"))),
            },
        };
    }

    /// Tells the coordinator.
    pub fn say(
        &self,
        message: Message,
    ) -> Result<(), tokio::sync::mpsc::error::SendError<Message>> {
        self.coordinator.send(message)
    }

    fn node(self: &Arc<Self>, rank: usize) -> Option<Outbox> {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        let outbox = nodes.get_mut(rank)?.get_or_insert_with(|| {
            let (outbox, queue) = unbounded_channel();
            let peers = Arc::clone(self);
            self.runtime.spawn(async move {
                let reason = match peers.call(rank).await {
                    Ok((reader, writer)) => {
                        let refuse = |_| Err("a message where none was expected".to_owned());
                        attend(reader, writer, queue, peers.timing, refuse).await
                    }
                    Err(reason) => reason,
                };
                let _ = peers.say(Message::Cut(rank, reason));
            });
            outbox
        });
        Some(outbox.clone())
    }

    async fn call(&self, rank: usize) -> Result<(Reader, Writer), String> {
        let address = self.greeting.addresses[rank].as_str();
        let called = async {
            let stream = TcpStream::connect(address).await?;
            socket::prepare(&stream, self.timing.silence)?;
            let called = channel::call(stream, &self.secret).await;
            let (reading, writing) = called.map_err(std::io::Error::other)?;
            let mut writer = Writer::new(writing);
            writer.write(self.greeting.to_peer()).await?;
            writer.flush().await?;
            std::io::Result::Ok((Reader::new(reading, self.timing.silence), writer))
        };
        match timeout(self.timing.answer, called).await {
            Ok(Ok(called)) => Ok(called),
            Ok(Err(error)) => Err(format!("{address}: {error}")),
            Err(_) => Err(format!("{address}: no answer")),
        }
    }
}
