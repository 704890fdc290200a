//! An archive in a bucket: the tasks stage into the run's own folder, which they share, and the driver alone knows the bucket.

use super::cluster::Spark;
use super::topics::{self, PARTITIONS};
use super::{archive, facts, job};
use crate::support::bucket::Server;
use crate::support::digest::day_files_and_schemas;
use crate::support::folder::Folder;
use crate::support::kafka::Kafka;

#[test]
fn spark_and_one_machine_go_on_with_each_others_archive_in_a_bucket() {
    let (Some(kafka), Some(spark), Some(server)) = (Kafka::shared(), Spark::shared(), Server::start()) else {
        return;
    };
    let _alone = spark.alone();
    let topic = kafka.topic("spark-bucket", PARTITIONS, &[]);
    let (plain, folder) = (Folder::new(), Folder::new());
    let address = server.url("a");
    let on_one_machine = || {
        let run = archive(&folder, kafka, &topic).args(["--archive", &address]);
        server.allow(run)
    };
    topic.send(&topics::first());
    on_one_machine().run().expect_code(3);
    archive(&plain, kafka, &topic).run().expect_code(3);

    topic.send(&topics::late());
    let work = folder.join("work");
    std::fs::create_dir(&work).expect("a folder can be made");
    let words = [
        "--archive",
        &address,
        "--work",
        work.to_str().expect("a path of letters"),
    ];
    let mut spread = job(spark, &folder, kafka, &topic).args(&words);
    for (name, value) in server.environment() {
        spread = spread.env(name, &value);
    }
    let by_spark = spark.run(spread, 3);
    assert_eq!(facts(&by_spark), facts(&archive(&plain, kafka, &topic).report(3)));
    assert_eq!(
        day_files_and_schemas(&server.files("a")),
        day_files_and_schemas(&plain.archive())
    );
    let left = std::fs::read_dir(&work).expect("a folder can be listed");
    assert_eq!(left.count(), 0, "a run removes its folder");

    topic.send(&topics::dealt(5, crate::support::lines::telegraf(5, 500)));
    on_one_machine().run().expect_code(0);
    archive(&plain, kafka, &topic).run().expect_code(0);
    assert_eq!(
        day_files_and_schemas(&server.files("a")),
        day_files_and_schemas(&plain.archive())
    );
    server.diurnal(&folder, "verify", "a").run().expect_code(0);
}
