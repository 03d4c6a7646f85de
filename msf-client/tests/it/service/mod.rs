//! Calls by name.

mod answers;
mod deadlines;
mod given_up;
mod hashing;
mod instances;
mod requests;
mod resends;

use tokio::net::TcpStream;

use crate::{
    callee::{Scripted, read_head},
    world::World,
};

/// A callee that takes requests and says nothing.
async fn silent() -> Scripted {
    Scripted::start(|mut stream: TcpStream| async move {
        while read_head(&mut stream).await.is_some() {}
    })
    .await
}

/// A callee that takes one request and hangs up.
async fn hanging_up() -> Scripted {
    Scripted::start(|mut stream: TcpStream| async move {
        read_head(&mut stream).await;
    })
    .await
}

async fn mirrored(world: &World) -> String {
    let answer = world.payment.get("/").send().await.unwrap();
    String::from_utf8(answer.bytes().await.unwrap().to_vec()).unwrap()
}
